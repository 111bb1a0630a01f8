"""target list, show, check and try; and secrets, which are nowhere to be seen."""

from __future__ import annotations

import base64

import pytest
from servers import FormServer, Step, answer
from short import short_form

from .conftest import Home

TOKEN = "hush-7f3a-do-not-tell"


def test_list_names_the_default_and_where_each_comes_from(home: Home, server: FormServer) -> None:
    home.config(
        f'default_target = "a"\n[targets.a]\nkind = "form"\nurl = "{server.url}"\n'
        '[targets.b]\nkind = "inbox"\nurl = "http://nas.invalid:8090"\ntoken_env = "T"\n'
    )
    home.run("push", home.photos(1), "--url", f"{server.url}?x")
    rows = {
        line.split()[0]: line.split()[1:]
        for line in home.run("target", "list").stdout.splitlines()[1:]
    }
    assert rows["a"] == ["form", server.url, "config", "default"]
    assert rows["b"] == ["inbox", "http://nas.invalid:8090", "config"]
    assert [row for name, row in rows.items() if name.startswith("127.0.0.1")] == [
        ["form", f"{server.url}?x", "--url"]
    ]
    assert rows["inbox"][-2:] == ["built", "in"]


def test_show_prints_settings_and_masks_the_token(home: Home, server: FormServer) -> None:
    config = home.form(
        server, f'token = "{TOKEN}"\nresend = "safe"\n[targets.club.fields]\nkey = "{{token}}"\n'
    )
    config.chmod(0o600)
    done = home.run("target", "show", "club")
    assert done.returncode == 0
    assert server.url in done.stdout
    assert "resend = 'safe'" in done.stdout
    assert "token = ********" in done.stdout
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["show", "check", "try"])
def test_an_unknown_target_has_a_nearest_one(home: Home, server: FormServer, command: str) -> None:
    home.form(server)
    photo = [home.photos(1) / "IMG_1.JPG"] if command == "try" else []
    done = home.run("target", command, "clib", *photo)
    assert done.returncode == 4
    assert "did you mean club?" in done.stderr


def test_check_proves_the_inbox_without_uploading(home: Home) -> None:
    done = home.run("target", "check", "inbox")
    assert done.returncode == 0
    assert done.stdout.startswith("ok ")
    assert not home.journal.exists()


def test_check_of_a_server_that_is_not_there_ends_with_4(home: Home, server: FormServer) -> None:
    home.form(server, 'check = "http://photos.invalid/me"\n')
    done = home.run("target", "check", "club")
    assert done.returncode == 4
    assert done.stdout.startswith("NO ")
    assert len(server.requests) == 0


def test_check_of_a_form_connects_and_ends_as_what_proved_nothing(
    home: Home, server: FormServer
) -> None:
    """Also of one that --url described: there is no option for an address to ask."""
    assert home.run("push", home.photos(1), "--url", server.url).returncode == 0
    done = home.run("target", "check", "127.0.0.1")
    assert done.returncode == 3
    assert [line[:3].strip() for line in done.stdout.splitlines()] == ["??", "??", "??"]
    assert "--check" not in done.stdout
    assert "albumup target try 127.0.0.1" in done.stderr
    server.close()
    assert home.run("target", "check", "127.0.0.1").returncode == 75


@pytest.mark.process
def test_try_shows_request_answer_verdict_and_rule(home: Home, server: FormServer) -> None:
    token = home.secret(TOKEN)
    home.form(
        server,
        f'token_file = "{token}"\nauth = "bearer"\nid = "id"\n'
        f'[targets.club.fields]\nkey = "{{token}}"\n',
    )
    photo = home.photos(1) / "IMG_1.JPG"
    server.answer = lambda _: answer(201, b'{"id": "p7"}')
    done = home.run("target", "try", "club", photo)
    assert done.returncode == 0
    assert f"> POST {server.url}" in done.stdout
    assert "> Authorization: Bearer ********" in done.stdout
    assert "> [field] key = ********" in done.stdout
    assert "< 201 Created" in done.stdout
    assert '< {"id": "p7"}' in done.stdout
    assert "verdict: uploaded" in done.stdout
    assert "rule: " in done.stdout
    assert "left there: IMG_1.JPG, on 127.0.0.1 as p7; delete it there" in done.stdout
    (received,) = server.ledger
    assert received.fields == {"key": TOKEN}
    assert received.headers["authorization"] == f"Bearer {TOKEN}"
    assert not home.journal.exists()


@pytest.mark.parametrize(
    ("said", "code", "verdict", "left"),
    [
        (answer(401, {}), 4, "refused", "nothing"),
        (answer(404, {}), 4, "wrong address", "nothing"),
        (answer(413, {}), 3, "rejected", "nothing"),
        (answer(503, {}), 75, "not taken", "nothing"),
        (answer(200, b"<html>", mime="text/html"), 4, "wrong address", "perhaps IMG_1.JPG"),
        (answer(200, b"{}"), 3, "in doubt", "perhaps IMG_1.JPG"),
    ],
    ids=["401", "404", "413", "503", "page", "no id"],
)
def test_try_ends_with_the_code_that_a_push_would(
    home: Home, server: FormServer, said: Step, code: int, verdict: str, left: str
) -> None:
    """And says what it leaves there, and, where it is refused, which key to look at."""
    home.form(server, 'id = "id"\n')
    server.answer = lambda _: said
    done = home.run("target", "try", "club", home.photos(1) / "IMG_1.JPG")
    assert done.returncode == code, done.stdout
    assert f"verdict: {verdict}" in done.stdout
    assert f"\nleft there: {left}" in done.stdout
    assert ("config.toml: targets.club.token_file" in done.stderr) == (verdict == "refused")


def test_a_401_names_the_key_that_holds_the_token(home: Home, server: FormServer) -> None:
    """A push, ``resume`` and ``target check`` say where it is, and what to type once it is another
    one."""
    key = "~/config/albumup/config.toml: targets.club.token_command"
    home.form(server, f'token_command = ["sh", "-c", "echo {TOKEN}"]\n')
    server.says(401)
    for done in (home.run("push", home.photos(1)), home.run("resume")):
        assert done.returncode == 4
        assert f"its token is what sh prints ({key})" in done.stderr.replace("Its", "its")
        assert "albumup resume" in done.stderr
        assert TOKEN not in done.stderr
    assert f"its token is what sh prints ({key})" in home.run("target", "check", "club").stdout


def test_try_of_a_photo_that_is_not_there(home: Home, server: FormServer) -> None:
    home.form(server)
    done = home.run("target", "try", "club", "nowhere.jpg")
    assert done.returncode == 2
    assert "nowhere.jpg" in done.stderr
    done = home.run("target", "try", "club", home.photos(1))
    assert done.returncode == 2
    assert "a folder, and no photo" in done.stderr


def test_try_sends_what_a_push_sends(home: Home, server: FormServer) -> None:
    """Byte for byte, but for what is drawn for each body, and the album's name."""
    home.form(server, '[targets.club.fields]\nof = "{index} of {total}: {path}"\n')
    folder = home.photos(1)
    home.run("target", "try", "club", folder / "IMG_1.JPG")
    home.run("push", folder, "--target", "club")
    tried, pushed = server.ledger
    drawn = ("content-type", "idempotency-key")
    assert {**tried.headers, **dict.fromkeys(drawn)} == {**pushed.headers, **dict.fromkeys(drawn)}
    assert (tried.fields, tried.filename, tried.sha256) == (
        pushed.fields,
        pushed.filename,
        pushed.sha256,
    )
    assert list(tried.headers) == list(pushed.headers)


@pytest.mark.parametrize("auth", short_form(["basic", "bearer", "header:X-Api-Key"]))
def test_the_token_is_nowhere_but_on_the_wire(home: Home, server: FormServer, auth: str) -> None:
    token = home.secret(TOKEN)
    home.form(
        server,
        f'token_file = "{token}"\nauth = "{auth}"\n'
        + ('user = "anna"\n' if auth == "basic" else "")
        + '[targets.club.fields]\nkey = "{token}"\n',
    )
    photo = home.photos(2) / "IMG_1.JPG"
    # A server that repeats what it was sent is where tokens leak.
    basic = base64.b64encode(f"anna:{TOKEN}".encode()).decode()
    bearer = base64.b64encode(f"Bearer {TOKEN}".encode()).decode()
    server.answer = lambda one: answer(
        401 if one.filename == "IMG_2.JPG" else 200,
        f"{one.fields['key']} {bearer} {TOKEN.encode().hex()}".encode(),
    )
    wanted = {"bearer": f"Bearer {TOKEN}", "basic": f"Basic {basic}", "header:X-Api-Key": TOKEN}[
        auth
    ]
    lines = (
        ["push", "trip", "-vv", "--json", "--spool", "-j1"],
        ["resume", "-vv"],
        ["list", "--json"],
        ["status", "--json"],
        ["target", "list"],
        ["target", "show", "club"],
        ["target", "check", "club", "-vv"],
        ["target", "try", "club", str(photo), "-vv"],
    )
    for line in lines:
        done = home.run(*line)
        for text in (done.stdout, done.stderr):
            assert TOKEN not in text, line
            assert basic not in text, line
            assert bearer not in text, line
            assert TOKEN.encode().hex() not in text, line
    sent = server.ledger[0].headers
    assert sent["x-api-key" if ":" in auth else "authorization"] == wanted
    assert server.ledger[0].fields == {"key": TOKEN}
    for path in home.folder.rglob("*"):
        if path.is_file() and path != token:
            data = path.read_bytes()
            assert TOKEN.encode() not in data, path
            assert basic.encode() not in data, path
            assert bearer.encode() not in data, path


@pytest.mark.parametrize(
    "source", ['token_env = "CLUB_TOKEN"', 'token_command = ["echo", "{}"]'], ids=["env", "command"]
)
def test_a_token_may_come_from_elsewhere(home: Home, server: FormServer, source: str) -> None:
    home.form(server, source.replace("{}", TOKEN) + "\n")
    assert home.run("push", home.photos(1), CLUB_TOKEN=TOKEN).returncode == 0
    assert server.ledger[0].headers["authorization"] == f"Bearer {TOKEN}"
