"""The config file and the targets in it: what is read, and what is refused with file, key and a way
on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from albumup import processes
from albumup.config import file as config
from albumup.config import token_source
from albumup.config.checks import is_secret_name
from albumup.config.file import Config, Defaults, TargetTable, load, settings_of
from albumup.config.from_options import FormOptions, target_from_options
from albumup.config.settings import CommonSettings, FormSettings, InboxSettings, warnings
from albumup.config.token_source import ask_again, masked, read_token
from albumup.config.unattended import DESKTOP, Unattended
from albumup.errors import AlbumupError, ConfigError, UsageError

SECRET = "hunter2-s3cret"
CLUB = '[targets.club]\nkind = "form"\nurl = "https://club.example.org/{album}"\n'

Write = Callable[..., str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own: nothing of the computer's own configuration is seen."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


@pytest.fixture
def write(home: Path) -> Write:
    """Writes the default config file and returns its path."""

    def write(
        text: str | bytes, mode: int = 0o644, name: str = ".config/albumup/config.toml"
    ) -> str:
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        file.chmod(mode)
        return str(file)

    return write


def refused(
    call: Callable[[], object], *facts: str, kind: type[AlbumupError] = ConfigError
) -> AlbumupError:
    """The error that ``call`` ends with; its message holds all ``facts``, and neither it nor its
    hint the secret."""
    with pytest.raises(kind) as caught:
        call()
    error = caught.value
    assert type(error) is kind
    for fact in facts:
        assert fact in str(error)
    assert SECRET not in f"{error} {error.hint} {error!r}"
    assert error.__cause__ is None and error.__suppress_context__ is (error.__context__ is not None)
    return error


def club(lines: str = "") -> FormSettings:
    """The settings of a form target with these lines in its table."""
    import tomllib

    table = tomllib.loads(CLUB + lines)["targets"]["club"]
    del table["kind"]
    return settings_of(TargetTable("club", "form", table, "F: targets.club"), FormSettings)


def test_importing_it_is_cheap() -> None:
    code = "import sys, albumup.config.file; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    slow = {
        "msgspec", "tomllib", "platformdirs", "difflib", "subprocess", "json", "jmespath",
        "zoneinfo",
    }  # fmt: skip
    assert "albumup.config.file" in loaded
    assert not slow & set(loaded)


# --- the file


def test_without_a_file_all_is_default(home: Path) -> None:
    found = load(None)
    assert found == Config(str(home / ".config/albumup/config.toml"), None, Defaults(), {})
    assert found.defaults == Defaults(3, 4, 300.0, 5, False, None, None)


def test_the_default_file_follows_xdg(
    home: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "elsewhere"))
    path = write("[defaults]\njobs = 7\n", name="elsewhere/albumup/config.toml")
    assert load(None).path == path
    assert load(None).defaults.jobs == 7


def test_a_whole_file(write: Write, home: Path) -> None:
    path = write(
        '\ufeffdefault_target = "club"\n[defaults]\nretries = 0\njobs = 2\n'
        'patience = "24h"\nrounds = 1\nspool = true\n'
        'spool_dir = "spool"\nlimit_rate = "08:00,1M 23:00,off"\n'
        + CLUB
        + '[targets."my.nas"]\nkind = "inbox"\n'
    )
    found = load("~/.config/albumup/config.toml")
    assert found == load(path)
    assert found.path == path and found.folder == str(home / ".config/albumup")
    assert found.default_target == "club"
    assert found.defaults == Defaults(
        0,
        2,
        86400.0,
        1,
        True,
        str(home / ".config/albumup/spool"),
        config.parse_rate("08:00,1M 23:00,off"),
    )
    assert list(found.targets) == ["club", "my.nas"]
    table = found.targets["club"]
    assert (table.name, table.kind, table.settings) == (
        "club",
        "form",
        {"url": "https://club.example.org/{album}"},
    )
    assert table.where == "~/.config/albumup/config.toml: targets.club"
    assert (
        found.targets["my.nas"].place("url")
        == '~/.config/albumup/config.toml: targets."my.nas".url'
    )


def test_the_inbox_is_a_target_without_a_table(write: Write) -> None:
    assert load(write('default_target = "inbox"')).default_target == "inbox"


def test_a_named_file_must_exist(home: Path) -> None:
    refused(lambda: load(str(home / "no.toml")), "~/no.toml", "no such file")
    refused(lambda: load("~/no.toml"), "~/no.toml", "no such file")


def test_a_file_that_cannot_be_read(home: Path) -> None:
    (home / ".config/albumup/config.toml").mkdir(parents=True)
    for path in (None, str(home / ".config/albumup")):
        refused(lambda path=path: load(path), "~/.config/albumup", "cannot be read", "directory")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        (b"jobs = 3\nx = \n", ("not TOML", "line 2")),
        (f"token = {SECRET}".encode(), ("not TOML", "line 1")),
        (b'a = 1\n\nb = "\xff"\n', ("not UTF-8", "line 3")),
        (b"default_targt = 'x'", ("default_targt: unknown key; did you mean default_target?",)),
        (b"[target.club]", ("target: unknown key; did you mean targets?",)),
        (b"targets = 3", ("targets: expected a table",)),
        (b"defaults = 3", ("defaults: expected a table",)),
        (b"[targets]\nclub = 3", ("targets.club: expected a table",)),
        (b"[targets.club]\nurl = 'x'", ("targets.club.kind: missing",)),
        (b"[targets.club]\nkind = 3", ("targets.club.kind: expected text",)),
        (b"[defaults]\nretrys = 3", ("defaults.retrys: unknown key; did you mean retries?",)),
        (b"[defaults]\nretries = -1", ("defaults.retries: expected a whole number, 0 or more",)),
        (b"[defaults]\nretries = true", ("defaults.retries: expected a whole number",)),
        (b"[defaults]\njobs = 0", ("defaults.jobs: expected a whole number, 1 or more",)),
        (b"[defaults]\njobs = 1.5", ("defaults.jobs: expected a whole number",)),
        (b"[defaults]\nrounds = '5'", ("defaults.rounds: expected a whole number",)),
        (b"[defaults]\npatience = '5 minutes'", ("defaults.patience: expected a duration",)),
        (b"[defaults]\npatience = -1", ("defaults.patience: expected seconds",)),
        (b"[defaults]\npatience = inf", ("defaults.patience: expected seconds",)),
        (b"[defaults]\npatience = nan", ("defaults.patience: expected seconds",)),
        (b"[defaults]\npatience = true", ("defaults.patience: expected seconds",)),
        (b"[defaults]\nspool = 1", ("defaults.spool: expected true or false",)),
        (b"[defaults]\nspool_dir = ''", ("defaults.spool_dir: expected text",)),
        (b"[defaults]\nlimit_rate = 'fast'", ("defaults.limit_rate: expected a rate",)),
        (b"[defaults]\nlimit_rate = 5", ("defaults.limit_rate: expected text",)),
        (
            b"default_target = 'clib'\n" + CLUB.encode(),
            ("default_target: there is no target", "did you mean club?"),
        ),
        (b"default_target = 3", ("default_target: there is no target",)),
    ],
)
def test_mistakes_in_the_file(write: Write, text: bytes, facts: tuple[str, ...]) -> None:
    write(text)
    refused(lambda: load(None), "~/.config/albumup/config.toml: ", *facts)


def test_a_targets_own_keys_win_for_runs_that_nobody_watches(write: Write) -> None:
    write(
        '[defaults]\non_done = "desktop"\ntell_after = "2h"\n'
        '[targets.club]\nkind = "form"\nurl = "https://club.example.org"\n'
        'on_done = ["tell", "me"]\nnotify = ["ntfy://topic"]\n',
        0o600,
    )
    found = load(None)
    assert found.unattended("inbox") == Unattended(on_done=(DESKTOP,), tell_after=7200.0)
    wanted = Unattended(on_done=("tell", "me"), notify=("ntfy://topic",), tell_after=7200.0)
    assert found.unattended("club") == wanted
    assert "on_done" not in found.targets["club"].settings, "it frames nothing"


def test_a_command_is_found_from_any_working_directory(write: Write) -> None:
    """The uploader in the background, and cron's commands, have others than a terminal."""
    path = write('[defaults]\non_done = ["./tell", "./me"]\nmay_run = ["~/bin/on-mains"]\n')
    found = load(None).unattended("inbox")
    assert found.on_done == (os.path.join(os.path.dirname(path), "tell"), "./me")
    assert found.may_run == (os.path.expanduser("~/bin/on-mains"),)


@pytest.mark.parametrize(
    "line",
    ['on_done = "mail"', "on_done = []", 'notify = ["topic"]', 'notify_on = "some"',
     'ping = "ftp://x"', 'tell_after = "soon"', 'may_run = "true"', "stable_for = -1"],
)  # fmt: skip
def test_mistakes_for_runs_that_nobody_watches(write: Write, line: str) -> None:
    key = line.split()[0]
    write(f"[defaults]\n{line}\n")
    refused(lambda: load(None), f"~/.config/albumup/config.toml: defaults.{key}: ")
    write(f'[targets.club]\nkind = "form"\nurl = "https://club.example.org"\n{line}\n')
    refused(lambda: load(None).unattended("club"), f"config.toml: targets.club.{key}: ")


def test_an_unknown_key_comes_with_a_list_of_all(write: Write) -> None:
    write("[defaults]\nxyzzy = 1")
    error = refused(lambda: load(None), "defaults.xyzzy: unknown key")
    assert str(error).endswith("defaults.xyzzy: unknown key")
    assert "jobs, limit_rate, may_run, " in error.hint
    assert "patience, ping, retries" in error.hint


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('notify = ["ntfy://topic"]', "notify"),
        ('ping = "https://anna:hunter2@ping.example.org/x"', "ping"),
        ('on_done = ["curl", "--url=https://anna:hunter2@example.org/"]', "on_done"),
        ('may_run = ["ask", "https://:hunter2@example.org/"]', "may_run"),
        ('ping = "https://ping.example.org/b1946ac9-hunter2"', "ping"),
        ('ping = "https://ping.example.org/x?who=is-hunter2"', "ping"),
        ('on_done = ["curl", "https://example.org/?to=is-hunter2"]', "on_done"),
    ],
)
@pytest.mark.parametrize("place", ["defaults", "targets.club"])
def test_a_password_for_notices_needs_a_private_file(
    write: Write, line: str, key: str, place: str
) -> None:
    kind = 'kind = "form"\nurl = "https://club.example.org"\n' if place != "defaults" else ""
    text = f"[{place}]\n{kind}{line}\n"
    path = write(text, 0o600)
    found = load(None)
    assert "hunter2" not in repr(found)
    assert "topic" not in repr(found)
    for mode in (0o640, 0o604):
        Path(path).chmod(mode)
        error = refused(lambda: load(None), f"config.toml: {place}.{key}: others can read")
        assert error.hint == "chmod 600 " + path
        assert "hunter2" not in str(error)


@pytest.mark.parametrize("key", ["url", "check"])
def test_a_key_in_an_address_needs_a_private_file(write: Write, key: str) -> None:
    url = "https://club.example.org/up"
    lines = {"url": url, key: f"{url}?api={SECRET}"}
    text = "".join(f'{one} = "{value}"\n' for one, value in lines.items())
    path = write(f'[targets.club]\nkind = "form"\n{text}', 0o640)
    error = refused(lambda: load(None), f"config.toml: targets.club.{key}: others can read")
    assert SECRET not in f"{error} {error.hint}"
    Path(path).chmod(0o600)
    load(None)


def test_one_of_several_addresses_counts_too(write: Write) -> None:
    urls = f'["https://club.example.org", "https://club.example.org/?api={SECRET}"]'
    write(f'[targets.club]\nkind = "inbox"\nurl = {urls}\n', 0o640)
    refused(lambda: load(None), "config.toml: targets.club.url: others can read")


@pytest.mark.parametrize(
    "line",
    ['ping = "https://ping.example.org/x"', 'ping = "https://ping.example.org/photos?create=1"',
     'on_done = ["curl", "https://example.org:8080/@a"]',
     "notify = []", 'on_done = "desktop"'],
)  # fmt: skip
def test_what_holds_no_password_may_be_read(write: Write, line: str) -> None:
    write(f"[defaults]\n{line}\n", 0o644)
    load(None)


def test_a_token_in_the_file_needs_a_private_file(write: Write) -> None:
    text = CLUB + f'token = "{SECRET}"\n'
    path = write(text, 0o600)
    found = load(None)
    settings = settings_of(found.targets["club"], FormSettings)
    assert read_token(settings, "F", found.folder) == SECRET
    for mode in (0o640, 0o604, 0o620):
        Path(path).chmod(mode)
        error = refused(
            lambda: load(None), "config.toml: targets.club.token: others can read the file"
        )
        assert error.hint == f"chmod 600 {path}"


def test_the_variables_that_targets_name_are_kept_from_commands(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_withheld", set())
    monkeypatch.setenv("CLUB_TOKEN", SECRET)
    monkeypatch.setenv("OTHER", "stays")
    write(CLUB + 'token_env = "CLUB_TOKEN"\n')
    load(None)
    found = processes.environment()
    assert ("CLUB_TOKEN" in found, found["OTHER"]) == (False, "stays")


# --- a target's settings


def test_settings_have_their_defaults() -> None:
    settings = club()
    assert (settings.resend, settings.timeout, settings.settle) == ("allowed", 60.0, 30.0)
    assert (settings.method, settings.file_field, settings.filename) == ("POST", "file", "{name}")
    assert settings.auth is settings.taken_fallback is settings.id is None
    assert settings.fields == settings.headers == settings.vars == {}
    assert not settings.has_token


def test_the_example_of_the_manual() -> None:
    settings = club(
        """
method = "POST"
file_field = "photo"
filename = "{index:04}-{name}"
auth = "basic"
user = "anna"
token_file = "club.token"
ca_file = "club.pem"
resend = "safe"
timeout = 90
settle = 0
success = [200, 201]
success_text = "Danke"
failure_text = "zu gross"
refused_text = "Kontingent|falsches Passwort"
duplicate_text = "schon da"
message = "error.message"
proof = "files[0].sz == {size}"
success_location = "/gallery/"
duplicate = [409]
id = "data.id"
page = "data.url"
share = "https://club.example.org/a/{album}/{club}"
check = "https://club.example.org/api/{club}"
taken_fallback = "mtime"
timezone = "Europe/Berlin"
[targets.club.fields]
title = "{name}"
taken = "{taken:%Y-%m-%dT%H:%M:%S%z}"
apikey = "{token}"
album = "{club}"
keywords = "sea, sand"
[targets.club.headers]
X-Client = "albumup"
[targets.club.vars]
club = "foto"
"""
    )
    assert list(settings.fields) == ["title", "taken", "apikey", "album", "keywords"]
    assert (settings.timeout, settings.success, settings.duplicate) == (90.0, (200, 201), (409,))
    assert settings.has_token and not settings.page_is_template
    assert settings.field_names - settings.names == {"token"}
    assert settings.album_names == {"album", "club"}


def test_page_may_be_a_template() -> None:
    assert club('page = "https://x/{sha256}"').page_is_template
    refused(lambda: club('page = "https://x/{sha}"'), "F: targets.club.page: unknown name {sha}")


def test_an_inbox_has_only_the_common_keys() -> None:
    table = TargetTable(
        "nas", "inbox", {"url": "http://nas:8080", "token_env": "NAS"}, "F: targets.nas"
    )
    assert settings_of(table, InboxSettings).has_token
    refused(
        lambda: settings_of(
            TargetTable("nas", "inbox", {"url": "http://nas", "method": "PUT"}, "F: t"),
            InboxSettings,
        ),
        "F: t.method: unknown key",
    )
    refused(
        lambda: settings_of(TargetTable("nas", "inbox", {}, "F: t"), InboxSettings),
        "F: t.url: missing",
    )


def test_a_kind_defines_keys_of_its_own() -> None:
    class Own(CommonSettings, frozen=True, kw_only=True):
        level: Literal["low", "high"] | None = None
        sizes: dict[str, int]

    def own(**settings: object) -> Own:
        return settings_of(
            TargetTable("o", "own", {"url": "https://x", **settings}, "F: targets.o"), Own
        )

    assert own(level="low", sizes={"a": 1}).sizes == {"a": 1}
    refused(lambda: own(), "F: targets.o.sizes: missing")
    refused(
        lambda: own(sizes={"a": 1, "b.c": "x"}),
        'F: targets.o.sizes."b.c": expected a whole number, got text',
    )
    refused(lambda: own(sizes={}, level="hi"), "F: targets.o.level: 'hi' is none of low, high")


def test_the_message_about_an_unknown_key_is_whole(write: Write) -> None:
    table = load(write(CLUB + "sucess = [200]\n")).targets["club"]
    error = refused(lambda: settings_of(table, FormSettings))
    assert (
        str(error)
        == "~/.config/albumup/config.toml: targets.club.sucess: unknown key; did you mean success?"
    )
    assert "file_field" in error.hint and "success_text" in error.hint


@pytest.mark.parametrize(
    ("line", "facts"),
    [
        ("timeout = 0", ("timeout: expected a number > 0",)),
        ("timeout = nan", ("timeout: expected a number",)),
        ("timeout = inf", ("timeout: expected a number <= 86400",)),
        ('timeout = "60"', ("timeout: expected a number, got text",)),
        ("settle = -1", ("settle: expected a number >= 0",)),
        (
            'resend = "alowed"',
            ("resend: 'alowed' is none of safe, allowed, never; did you mean allowed?",),
        ),
        ('method = "post"', ("method: 'post' is none of POST, PUT; did you mean POST?",)),
        ('method = "PUT"', ("method: a form is sent by POST", "WebDAV")),
        ('taken_fallback = "now"', ("taken_fallback: 'now' is none of mtime",)),
        (
            'timezone = "Europe/Berlim"',
            ("timezone: unknown time zone; did you mean Europe/Berlin?",),
        ),
        ('timezone = "Europe"', ("timezone: unknown time zone",)),
        ('timezone = "../../etc/passwd"', ("timezone: unknown time zone",)),
        ("success = 200", ("success: expected a list, got a whole number",)),
        ('success = [200, "201"]', ("success[1]: expected a whole number, got text",)),
        ("duplicate = [20]", ("duplicate[0]: expected a whole number >= 200",)),
        ('file_field = ""', ("file_field: expected text of length >= 1",)),
        ('file_field = "a\\nb"', ("file_field:", "control characters")),
        ('filename = "{nam}"', ("filename: unknown name {nam}; did you mean name?",)),
        ('filename = "{token}"', ("filename: {token} cannot be used here",)),
        ('share = "https://x/{name}"', ("share: {name} cannot be used here",)),
        ('share = "x/{album}"', ("share: must begin with https://",)),
        ('check = "https://x/{album}"', ("check: {album} cannot be used here",)),
        ('check = "https://x?apikey=hunter2-s3cret"', ("check: a secret does not belong",)),
        ('success_text = "(Danke"', ("success_text: not a regular expression", "position")),
        ('failure_text = "a{99999999999999999999}"', ("failure_text: not a regular expression",)),
        ('refused_text = "["', ("refused_text: not a regular expression",)),
        ('duplicate_text = "["', ("duplicate_text: not a regular expression",)),
        (
            'message = "a (b) (c)"',
            ("message: neither JMESPath nor a regular expression with one group",),
        ),
        (
            'message = "Fehler: .*"',
            ("message: neither JMESPath nor a regular expression with one group",),
        ),
        ('proof = "files[0].sz = {size}"', ("proof: expected JMESPath == template",)),
        ('proof = "files[0].sz == "', ("proof: expected JMESPath == template",)),
        ('proof = "files..sz == {size}"', ("proof: not JMESPath",)),
        ('proof = "sz == {siz}"', ("proof: unknown name {siz}; did you mean size?",)),
        ('proof = "key == {token}"', ("proof: {token} cannot be used here",)),
        ('success_location = "*"', ("success_location: not a regular expression",)),
        ('id = "data..id"', ("id: not JMESPath",)),
        ('page = "{url}"', ("page: not JMESPath",)),
        ("fields = 3", ("fields: expected a table, got a whole number",)),
        ("fields = {title = 3}", ("fields.title: expected text, got a whole number",)),
        ('fields = {"a b" = "{x}"}', ('fields."a b": unknown name {x}',)),
        ('fields = {"" = "x"}', ("fields", "control characters")),
        ('fields = {"a\\rb" = "x"}', ("fields", "control characters")),
        ('fields = {apikey = "{token}"}', ("fields.apikey: there is no token", "token_file")),
        ("vars = {club = 3}", ("vars.club: expected text",)),
        ('vars = {name = "x"}', ("vars.name: choose another name",)),
        ('vars = {"a.b" = "x"}', ('vars."a.b": choose another name',)),
        (
            'vars = {apikey = "hunter2-s3cret"}',
            ("vars.apikey: a secret does not belong here", "{token}"),
        ),
        ('auth = "bearer"', ("auth: there is no token to send", "token_file")),
        (
            'auth = "baerer"\ntoken_env = "X"',
            ("auth: expected bearer, basic, none", "did you mean bearer?"),
        ),
        ('auth = "hunter2-s3cret"', ("auth: expected bearer, basic, none or header:NAME",)),
        ('auth = "header:X Key"\ntoken_env = "X"', ("auth: expected",)),
        ('auth = "header:"\ntoken_env = "X"', ("auth: expected",)),
        ('auth = "basic"\ntoken_env = "X"', ("auth: basic needs a user name",)),
        (
            'auth = "basic"\ntoken_env = "X"\nuser = "a:b"',
            ("auth: basic needs a user name without a colon",),
        ),
        ('token_file = "a"\ntoken_env = "B"', ("token_env: there is token_file already",)),
        (
            'token = "hunter2-s3cret"\ntoken_command = ["x"]',
            ("token: there is token_command already",),
        ),
        ('token_env = "hunter2-s3cret"', ("token_env: not the name of an environment variable",)),
        ('token_command = "pass show x"', ("token_command: expected a list, got text",)),
        ("token_command = []", ("token_command: expected a list of length >= 1",)),
        ('token = ""', ("token: expected text of length >= 1",)),
        ("token = 5", ("token: expected text, got a whole number",)),
    ],
)
def test_mistakes_in_a_target(line: str, facts: tuple[str, ...]) -> None:
    refused(lambda: club(line), "F: targets.club.", *facts)


@pytest.mark.parametrize("auth", ["none", "header:X-Api-Key", "bearer"])
def test_ways_to_send_the_token(auth: str) -> None:
    assert club(f'auth = "{auth}"\ntoken_env = "X"').auth == auth
    assert club('auth = "none"').auth == "none"


@pytest.mark.parametrize(
    ("url", "fact"),
    [
        ("club.example.org", "https://"),
        (f"https://anna:{SECRET}@x/", "user:password@"),
        (f"https://x/?a=1&apikey={SECRET}", "?apikey="),
        ("https://x/{albun}", "did you mean album?"),
        ("https://x/?k={token}", "{token} cannot be used here"),
        ("https://x/{name.__class__}", "plain name"),
    ],
)
def test_mistakes_in_the_url(url: str, fact: str) -> None:
    table = TargetTable("club", "form", {"url": url}, "F: targets.club")
    refused(lambda: settings_of(table, FormSettings), "F: targets.club.url: ", fact)


def test_names_in_the_query_of_a_url_are_no_secrets() -> None:
    table = TargetTable(
        "club", "form", {"url": "https://x/?key={sha256}&author=anna&token="}, "F: targets.club"
    )
    settings_of(table, FormSettings)


# --- secrets


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "key",
        "secret",
        "password",
        "passwd",
        "pwd",
        "apikey",
        "authorization",
        "cookie",
        "auth",
        "Token",
        "APIKEY",
        "api_key",
        "api-key",
        "apiKey",
        "X-Api-Key",
        "APIKey",
        "accesstoken",
        "csrf_token",
        "user[password]",
        "secretKey",
    ],
)
def test_names_that_carry_secrets(name: str) -> None:
    assert is_secret_name(name)
    error = refused(
        lambda: club(f'fields = {{"{name}" = "{SECRET}"}}'),
        "F: targets.club.fields.",
        f'{name} = "{{token}}"',
    )
    assert "token_file" in error.hint
    club(f'token_env = "X"\nfields = {{"{name}" = "{{token}}"}}')


@pytest.mark.parametrize(
    "name",
    ["keywords", "author", "monkey", "keyframe", "authored_by", "title", "tokenized", "secretary"],
)
def test_names_that_only_look_so(name: str) -> None:
    assert not is_secret_name(name)
    club(f'fields = {{{name} = "{SECRET}"}}')


def test_a_secret_is_not_to_be_smuggled_in() -> None:
    refused(
        lambda: club(f'fields = {{apikey = "{{k}}"}}\nvars = {{k = "{SECRET}"}}'),
        'apikey = "{token}"',
    )
    refused(lambda: club('fields = {password = "hunter2-{s3cret}"}'), 'password = "{token}"')
    refused(lambda: club(f'fields = {{password = "{SECRET}{{"}}'), 'password = "{token}"')


def test_a_field_for_secrets_may_hold_what_is_none() -> None:
    assert club('fields = {key = "{album}/{name}", pwg_token = ""}').fields["pwg_token"] == ""


@pytest.mark.parametrize(
    "name",
    ["Authorization", "cookie", "X-Api-Key", "X-Token", "xtokenx", "X-Keyword", "X-Password"],
)
def test_headers_carry_no_credentials(name: str) -> None:
    auth = "bearer" if name == "Authorization" else f"header:{name}"
    refused(
        lambda: club(f'headers = {{"{name}" = "{SECRET}"}}'),
        f"F: targets.club.headers.{name}: ",
        f'auth = "{auth}" and token_file = ',
    )
    refused(
        lambda: options(headers=[f"{name}: {SECRET}"]),
        f"--header {name}: ",
        f"--auth {auth} --token-file FILE",
        kind=UsageError,
    )


@pytest.mark.parametrize(
    ("header", "instead"),
    [
        ("Authorization: Basic aHVzaA==", "--auth header:Authorization --token-file FILE"),
        ("Set-Cookie: sid=hush", "--auth header:Cookie --token-file FILE"),
        ("Proxy-Authorization: Basic aHVzaA==", "https_proxy"),
        ("Authentication: hush", "--auth header:Authentication"),
    ],
)
def test_what_goes_instead_of_a_header_would_work(header: str, instead: str) -> None:
    said = str(refused(lambda: options(headers=[header]), instead, kind=UsageError))
    assert "hush" not in said
    assert "aHVzaA" not in said


@pytest.mark.parametrize(
    ("headers", "fact"),
    [
        ('"X Y" = "1"', "not a header's name"),
        ('"" = "1"', "not a header's name"),
        ('X-Y = "a\\r\\nb"', "one line"),
        ('X-Y = "ü"', "ASCII"),
        ('Content-Length = "1"', "albumup sets this header itself"),
        ('X-Y = "1", x-y = "2"', "given twice"),
        ('X-Y = "{album}"', "sent as they are"),
    ],
)
def test_headers_that_cannot_be_sent(headers: str, fact: str) -> None:
    refused(lambda: club(f"headers = {{{headers}}}"), "F: targets.club.headers.", fact)


def test_a_repr_never_holds_the_token() -> None:
    settings = club(f'token = "{SECRET}"')
    table = TargetTable("club", "form", {"token": SECRET}, "F")
    assert settings.token == SECRET
    for shown in (
        repr(settings),
        str(settings),
        repr(table),
        repr(Config("p", targets={"club": table})),
    ):
        assert SECRET not in shown


def test_masked_tells_nothing_about_the_token() -> None:
    assert masked(SECRET) == masked("x") != masked(None)
    assert SECRET not in masked(SECRET)


def token_of(folder: Path, **settings: Any) -> str | None:
    return read_token(CommonSettings(url="https://x", **settings), "F: targets.club", str(folder))


def test_no_source_is_no_token(home: Path) -> None:
    assert token_of(home) is None


def test_token_file(home: Path, write: Write) -> None:
    path = write(f"  {SECRET}\r\n\n", 0o600, "secrets/club token")
    assert token_of(home / "secrets", token_file="club token") == SECRET
    assert token_of(Path("/"), token_file="~/secrets/club token") == SECRET
    assert token_of(Path("/"), token_file=path) == SECRET
    Path(path).chmod(0o400)
    assert token_of(Path("/"), token_file=path) == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_token_file_that_others_can_read(home: Path, write: Write, mode: int) -> None:
    path = write(SECRET, mode, "secrets/club token")
    error = refused(
        lambda: token_of(home, token_file=path),
        "F: targets.club.token_file: others can read ~/secrets/club token",
    )
    assert error.hint == f"chmod 600 '{path}'"


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (f"{SECRET}\nmore".encode(), "single line"),
        (f"{SECRET}\x00".encode(), "single line"),
        (SECRET.encode() + b"\xff", "single line"),
        (SECRET.encode() * 10000, "too long"),
    ],
)
def test_a_token_file_without_a_token(home: Path, write: Write, content: bytes, fact: str) -> None:
    path = write(content, 0o600, "t")
    refused(lambda: token_of(home, token_file=path), "F: targets.club.token_file: ", fact)


def test_a_token_file_that_is_not_there(home: Path) -> None:
    refused(
        lambda: token_of(home, token_file="no"),
        "F: targets.club.token_file: ~/no cannot be read: No such file",
    )
    refused(
        lambda: token_of(home, token_file="."), "F: targets.club.token_file: ", "cannot be read"
    )


def test_token_env(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUB_TOKEN", f" {SECRET}\n")
    assert token_of(home, token_env="CLUB_TOKEN") == SECRET
    monkeypatch.setenv("CLUB_TOKEN", SECRET + "\n" + SECRET)
    refused(
        lambda: token_of(home, token_env="CLUB_TOKEN"), "F: targets.club.token_env: ", "single line"
    )
    monkeypatch.setenv("CLUB_TOKEN", " ")
    refused(lambda: token_of(home, token_env="CLUB_TOKEN"), "F: targets.club.token_env: ", "empty")
    monkeypatch.delenv("CLUB_TOKEN")
    error = refused(
        lambda: token_of(home, token_env="CLUB_TOKEN"),
        "F: targets.club.token_env: ",
        "CLUB_TOKEN is not",
    )
    assert "token_file" in error.hint


def test_a_command_that_prints_a_token_is_run_once_until_it_is_to_be_asked_again(
    home: Path,
) -> None:
    """It may ask for a passphrase."""
    asked = home / "asked"
    command = ("sh", "-c", f"echo >> {asked}; echo {SECRET}")
    assert [token_of(home, token_command=command) for _ in range(2)] == [SECRET] * 2
    assert asked.read_text() == "\n"
    ask_again()
    assert token_of(home, token_command=command) == SECRET
    assert asked.read_text() == "\n\n"


def test_token_command(home: Path) -> None:
    assert token_source.COMMAND_LIMIT == 60
    assert token_of(home, token_command=("printf", f"{SECRET}\\nuser: anna\\n")) == SECRET
    # Not a shell's command line: the words arrive as they are.
    assert token_of(home, token_command=("echo", "$HOME; *")) == "$HOME; *"


@pytest.mark.parametrize(
    ("command", "facts"),
    [
        (
            ["sh", "-c", f"echo {SECRET}; echo {SECRET} >&2; exit 3"],
            ("sh ended with exit status 3",),
        ),
        (["sh", "-c", f"echo {SECRET}; kill -9 $$"], ("sh ended with exit status -9",)),
        (["no-such-program", SECRET], ("no-such-program cannot be run: No such file",)),
        (["echo", "\x00"], ("echo cannot be run",)),
        (["true"], ("empty",)),
        (["printf", f"{SECRET}\\033[0m"], ("single line",)),
        (["sleep", "3600"], ("sleep has not answered within 0.2 s",)),
    ],
)
def test_a_token_command_that_fails(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    command: list[str],
    facts: tuple[str],
) -> None:
    if command[0] == "sleep":
        monkeypatch.setattr(token_source, "COMMAND_LIMIT", 0.2)
    refused(
        lambda: token_of(home, token_command=tuple(command)),
        "F: targets.club.token_command: ",
        *facts,
    )
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://photos.example.org/{album}", True),
        ("http://8.8.8.8/", True),
        ("HTTP://Photos.example.org/", True),
        ("http://[2606:4700::1]/", True),
        ("https://photos.example.org/", False),
        ("http://localhost:8080/", False),
        ("http://nas/", False),
        ("http://nas.local/", False),
        ("http://nas.home.arpa./", False),
        ("http://192.168.1.2/", False),
        ("http://127.0.0.1:1/", False),
        ("http://[::1]/", False),
        ("http://[fe80::1%25eth0]/", False),
    ],
)
def test_plain_http_is_warned_about_outside_of_private_networks(url: str, warned: bool) -> None:
    said = warnings(CommonSettings(url=url))
    assert bool(said) is warned
    assert all("not encrypted" in text and "token" not in text for text in said)
    if warned:
        assert "token" in warnings(CommonSettings(url=url, token_env="X"))[0]


# --- a target from options


def options(url: str = "https://Club.example.org:8443/up/{album}", **given: Any) -> TargetTable:
    return target_from_options(FormOptions(url, **given))


def test_a_target_from_options(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    table = options(
        fields=["title={name}", "apikey={token}", "formula=a=b", "note= x "],
        file_field="photo",
        headers=["X-Client:  albumup: yes ", "Accept:*/*"],
        auth="header:X-Api-Key",
        token_file="club.token",
        ca_file="~/club.pem",
    )
    assert (table.name, table.kind) == ("club.example.org", "form")
    settings = settings_of(table, FormSettings)
    assert list(settings.fields.items()) == [
        ("title", "{name}"),
        ("apikey", "{token}"),
        ("formula", "a=b"),
        ("note", " x "),
    ]
    assert settings.headers == {"X-Client": "albumup: yes", "Accept": "*/*"}
    assert settings.file_field == "photo" and settings.auth == "header:X-Api-Key"
    assert (settings.token_file, settings.ca_file) == (
        str(home / "club.token"),
        str(home / "club.pem"),
    )


def test_little_is_needed() -> None:
    assert options("http://nas/up").settings == {"url": "http://nas/up"}
    assert options("http://nas/up").name == "nas"


def test_the_journal_keeps_it_without_secrets(
    home: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("CLUB_TOKEN", SECRET)
    write(SECRET, 0o600, "club.token")
    for source in ({"token_file": "club.token"}, {"token_env": "CLUB_TOKEN"}):
        table = options(fields=["b={name}", "a=ü"], **source)
        text = table.to_json()
        assert SECRET not in text and text.isascii()
        again = TargetTable.from_json(text)
        assert again == table
        assert list(settings_of(again, FormSettings).fields) == ["b", "a"]
        assert read_token(settings_of(again, FormSettings), again.where, "/nowhere") == SECRET
    monkeypatch.delenv("CLUB_TOKEN")
    settings = settings_of(again, FormSettings)
    refused(
        lambda: read_token(settings, again.where, "/"),
        "--token-env: the environment variable CLUB_TOKEN",
    )


def test_a_token_itself_is_not_kept_in_the_journal() -> None:
    with pytest.raises(ValueError, match="token") as caught:
        TargetTable("club", "form", {"token": SECRET}, "F").to_json()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "facts"),
    [
        ({"url": "club.example.org"}, ("--url: must begin with https://",)),
        ({"url": f"https://anna:{SECRET}@x/"}, ("--url: no user:password@",)),
        ({"url": f"https://x/?token={SECRET}"}, ("--url: a secret", "--token-file")),
        ({"url": "https://x/{albun}"}, ("--url: unknown name {albun}; did you mean album?",)),
        ({"fields": [SECRET]}, ("--field: expected NAME=VALUE",)),
        ({"fields": ["=x"]}, ("--field", "cannot be empty")),
        ({"fields": ["a=1", "a=2"]}, ("--field a: given twice",)),
        ({"fields": ["a={nam}"]}, ("--field a: unknown name {nam}; did you mean name?",)),
        ({"fields": [f"api_key={SECRET}"]}, ("--field api_key: ", "--field 'api_key={token}'")),
        (
            {"fields": ["api_key={token}"]},
            ("--field api_key: there is no token", "--token-file or --token-env"),
        ),
        ({"headers": [SECRET]}, ("--header: expected NAME: VALUE",)),
        ({"headers": ["A: 1", "a: 2"]}, ("--header a: given twice",)),
        ({"headers": ["A: 1", "A: 2"]}, ("--header A: given twice",)),
        ({"file_field": ""}, ("--file-field: expected text",)),
        ({"auth": "bearr", "token_env": "X"}, ("--auth: expected bearer", "did you mean bearer?")),
        ({"auth": "bearer"}, ("--auth: there is no token to send", "--token-file or --token-env")),
        ({"auth": "basic", "token_env": "X"}, ("--auth: basic needs a user name", "config file")),
        ({"token_env": "X", "token_file": "f"}, ("--token-env: there is --token-file already",)),
        ({"token_env": SECRET}, ("--token-env: not the name",)),
        ({"token_file": ""}, ("--token-file: expected text",)),
    ],
)
def test_mistakes_in_options(given: dict[str, Any], facts: tuple[str, ...]) -> None:
    error = refused(lambda: options(**given), *facts, kind=UsageError)
    assert str(error).startswith("--")
    assert os.getcwd() not in str(error)
