"""target add: a server found, tried and written into the config, by a person at a terminal and by a
script."""

from __future__ import annotations

import re
import ssl
import tomllib
from collections.abc import Iterator

import pytest
from immich.fake import KEY, Immich
from servers import FormServer, Script, Server, answer, head, send

from albumup.receive import Receiver, Store

from .conftest import COMMAND, Home


@pytest.fixture
def immich() -> Iterator[Immich]:
    server = Immich()
    yield server
    server.close()


def config_of(home: Home) -> dict[str, object]:
    return tomllib.loads(home.config_file.read_text())


@pytest.mark.process
def test_without_a_terminal_by_options(home: Home, immich: Immich) -> None:
    token = home.secret(KEY)
    done = home.run("target", "add", "home", immich.url, "--token-file", "token")
    assert done.returncode == 0
    assert "ok  permission albumAsset.create: granted" in done.stdout
    assert "Now: albumup push ./trip" in done.stderr
    wanted = {"kind": "immich", "url": immich.url, "token_file": "~/token"}
    assert config_of(home) == {"targets": {"home": wanted}}
    assert KEY not in home.config_file.read_text()
    assert token.stat().st_mode & 0o777 == 0o600
    assert home.run("push", home.photos(2)).returncode == 0
    assert len(immich.album("trip")) == 2


@pytest.mark.long
@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_config_that_is_named_and_not_there_is_made(home: Home, immich: Immich, by: str) -> None:
    home.secret(KEY)
    named = home.folder / "new" / "my config.toml"
    option = ("--config", str(named)) if by == "option" else ()
    env = {"ALBUMUP_CONFIG": str(named)} if by == "variable" else {}
    assert home.run("push", home.photos(1), *option, **env).returncode == 4
    done = home.run("target", "add", "home", immich.url, "--token-file", "token", *option, **env)
    assert done.returncode == 0, done.stderr
    assert tomllib.loads(named.read_text())["targets"]["home"]["url"] == immich.url
    assert not home.config_file.exists()
    assert ("--config '" in done.stderr) == (by == "option")
    assert home.run("push", home.photos(1), *option, **env).returncode == 0


def test_comments_stay_and_the_default_is_what_was_asked_for(home: Home, immich: Immich) -> None:
    before = (
        '# mine\ndefault_target = "club"  # for now\n\n[defaults]\nretries = 5 # patient\n\n'
        '[targets.club]  # the club\'s\nkind = "form"\nurl = "https://club.example.org/up"\n'
    )
    home.config(before).chmod(0o640)
    home.secret(KEY)
    added = ("target", "add", "nas", immich.url, "--token-file", "token")
    assert home.run(*added).returncode == 0
    after = home.config_file.read_text()
    assert all(line in after.splitlines() for line in before.splitlines())
    assert config_of(home)["default_target"] == "club"
    assert home.config_file.stat().st_mode & 0o777 == 0o640
    done = home.run("target", "add", "nas2", immich.url, "--token-file", "token", "--default")
    assert done.returncode == 0
    assert config_of(home)["default_target"] == "nas2"
    assert "# patient" in home.config_file.read_text()


def test_a_person_is_asked_and_the_token_is_not_shown(home: Home, immich: Immich) -> None:
    answers = [("address", immich.url), ("name", "home"), ("token", KEY)]
    code, shown = typed(home, answers)
    assert code == 0, shown
    assert KEY not in shown
    token = home.config_file.with_name("home.token")
    assert token.read_text() == KEY + "\n"
    assert token.stat().st_mode & 0o777 == 0o600
    assert KEY not in home.config_file.read_text()
    assert home.run("target", "check").returncode == 0


def test_a_wrong_key_leaves_nothing_behind(home: Home, immich: Immich) -> None:
    code, shown = typed(
        home, [("address", immich.url), ("name", "home"), ("token", "a-wrong-fake-key")]
    )
    assert code == 4
    assert "home was not added" in shown
    assert "it is wrong, or was revoked; it is what was typed here" in " ".join(shown.split())
    assert "a-wrong-fake-key" not in shown
    assert not home.config_file.exists()
    assert not home.config_file.with_name("home.token").exists()


def typed(home: Home, answers: list[tuple[str, str]]) -> tuple[int, str]:
    """What a person at a terminal of 80 columns sees who answers each question."""
    terminal = home.at_terminal("target", "add", launch=COMMAND, COLUMNS="80")
    for question, text in answers:
        begun = len(terminal.said)
        asked = re.compile(rf"{question}(?:[^\n]|\n  )*: ?$", re.IGNORECASE)
        terminal.until(lambda begun=begun, asked=asked: asked.search(terminal.said[begun:]))  # type: ignore[misc]
        terminal.press(f"{text}\n")
    return terminal.end(), terminal.said


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("home", "URL"), 2, "--token-file"),
        (("home",), 2, "target add NAME URL"),
        (("a b", "URL", "--token-file", "token"), 2, "cannot be a target's name"),
        (("home", "http://127.0.0.1:1", "--token-file", "token"), 4, "no server answers there"),
        (("home", "URL", "--token-file", "open"), 4, "others can read"),
        (("home", "URL", "--token-file", "none"), 4, "cannot be read"),
        (("home", "URL", "--kind", "imich", "--token-file", "token"), 4, "immich"),
        (("home", "http://user:secret@127.0.0.1", "--token-file", "token"), 4, "URL"),
    ],
)
def test_bad_input_names_what_to_type(
    home: Home, immich: Immich, args: tuple[str, ...], code: int, words: str
) -> None:
    home.secret(KEY)
    home.secret(KEY, "open").chmod(0o644)
    done = home.run("target", "add", *(immich.url if arg == "URL" else arg for arg in args))
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert not home.config_file.exists()


@pytest.mark.parametrize("kind", [(), ("--kind", "inbox")])
@pytest.mark.parametrize("token", [None, "a-long-random-line"])
def test_a_receiver_of_ours_is_added_with_and_without_a_token(
    home: Home, kind: tuple[str, ...], token: str | None
) -> None:
    home.secret("a-long-random-line")
    with Receiver(Store(str(home.folder / "received")), token=token) as receiver:
        given = ("--token-file", "token") if token is not None else ()
        done = home.run("target", "add", "nas", receiver.url, *kind, *given)
        assert done.returncode == 0, done.stderr
        assert "a receiver of albumup" in done.stdout
        assert ("token: none is asked for" in done.stdout) == (token is None)
        assert config_of(home)["targets"]["nas"]["kind"] == "inbox"  # type: ignore[index]
        assert home.run("push", home.photos(1)).returncode == 0
    assert (home.folder / "received" / "trip" / "IMG_1.JPG").exists()


def test_a_name_that_is_taken_is_left_alone(home: Home, immich: Immich, server: FormServer) -> None:
    home.form(server, name="home")
    home.secret(KEY)
    before = home.config_file.read_text()
    assert home.run("target", "add", "home", immich.url, "--token-file", "token").returncode == 2
    assert home.config_file.read_text() == before


def test_another_server_is_not_taken_for_one(home: Home, server: FormServer) -> None:
    home.secret(KEY)
    done = home.run("target", "add", "home", server.url, "--token-file", "token")
    assert done.returncode == 4
    assert "as a form" in done.stderr


@pytest.mark.parametrize(
    "before",
    [
        'targets.a.kind = "form"\ntargets.a.url = "http://127.0.0.1:1/x"\n',
        'targets = { a = { kind = "form", url = "http://127.0.0.1:1/x" } }\n',
        'defaults = { jobs = 2 }\ntargets.a = { kind = "form", url = "http://127.0.0.1:1/x" }\n',
        '\ufeffdefault_target = "a"\n[targets."a"]\nkind = "form"\nurl = "http://127.0.0.1:1/x"',
        "[targets]\n# none yet\n",
    ],
    ids=["dotted", "inline", "mixed", "no last newline", "empty"],
)
def test_a_config_is_added_to_or_left_as_it_was(home: Home, immich: Immich, before: str) -> None:
    home.secret(KEY)
    home.config(before)
    was = tomllib.loads(before.removeprefix("\ufeff"))
    done = home.run("target", "add", "new", immich.url, "--token-file", "token", "--default")
    if done.returncode:
        assert done.returncode == 4
        assert home.config_file.read_text() == before
        assert "[targets.new]" in done.stderr
        return
    now = config_of(home)
    assert now.pop("default_target") == "new"
    assert now["targets"].pop("new")["kind"] == "immich"  # type: ignore[attr-defined]
    was.pop("default_target", None)
    assert now == {"targets": {}, **was}


ELSEWHERE = [("Location", "https://other.example.org/x")]


@pytest.mark.parametrize(
    ("script", "tls_there", "args", "code", "words"),
    [
        ((head, answer(404)), True, (), 4, ("certificate", "--ca-file")),
        ((head, answer(404)), True, ("--kind", "immich"), 4, ("certificate", "--ca-file")),
        ((send(b"HTTP/1.1 400 Bad Request\r\n\r\n"),), False, ("https",), 4, ("TLS", "http://")),
        (
            (head, answer(301, headers=ELSEWHERE)),
            False,
            (),
            4,
            ("301", "https://other.example.org/x"),
        ),
        ((head, answer(503)), False, (), 75, ("503", "again")),
        ((head, answer(522)), False, (), 75, ("522", "again")),
        ((head, answer(200)), False, (), 4, ("200", "as a form")),
        ((head, send(b"SSH-2.0-OpenSSH_9.2\r\n")), False, (), 4, ("not HTTP", "port")),
    ],
    ids=[
        "unknown authority",
        "the same, kind named",
        "no TLS there",
        "elsewhere",
        "busy",
        "proxy down",
        "of no kind",
        "no HTTP",
    ],
)
def test_why_no_server_is_recognised_is_told_apart(
    home: Home, tls: ssl.SSLContext, script: Script, tls_there: bool, args: tuple[str, ...],
    code: int, words: tuple[str, ...],
) -> None:  # fmt: skip
    home.secret(KEY)
    scheme = "https" if tls_there or "https" in args else "http"
    options = [arg for arg in args if arg != "https"]
    with Server(script, tls=tls if tls_there else None) as server:
        url = f"{scheme}://127.0.0.1:{server.port}"
        done = home.run("target", "add", "new", url, "--token-file", "token", *options)
    assert done.returncode == code, done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert not home.config_file.exists()


@pytest.mark.parametrize("folder", ["/mnt/nas/photos", "./nas", "../nas", "~/nas"])
def test_a_folder_is_told_from_an_address(home: Home, folder: str) -> None:
    done = home.run("target", "add", "nas", folder)
    assert done.returncode == 2
    assert f"'{folder}' is a folder, not an address" in done.stderr
    assert "albumup receive DIR" in done.stderr
