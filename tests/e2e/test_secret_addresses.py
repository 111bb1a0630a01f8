"""The secrets of addresses are on the wire and in the config, and nowhere else."""

from __future__ import annotations

import pytest
from servers import FormServer, answer

from albumup.config.file import load
from albumup.journal.opening import open_reader

from .conftest import Home

SECRET = "hush-7f3a-do-not-tell"
PING = "b1946ac9-2492-4d23"
LINES = (
    ["push", "trip", "-n"],
    ["push", "trip", "-vv", "--json", "-j1", "--patience", "0"],
    ["resume", "-vv", "--patience", "0"],
    ["retry-failed", "-vv"],
    ["list", "--json"],
    ["list"],
    ["status", "--json"],
    ["status"],
    ["log"],
    ["target", "list"],
    ["target", "show", "club"],
    ["target", "check", "club", "-vv"],
    ["target", "try", "club", "trip/IMG_1.JPG", "-vv"],
)


@pytest.fixture
def told(home: Home, server: FormServer) -> Home:
    """A home whose config has a secret in each kind of address."""
    home.photos(2)
    config = home.form(
        server,
        f'check = "{server.origin}/me?session={SECRET}"\n'
        f'ping = "{server.origin}/{PING}?who={SECRET}"\n',
    )
    config.write_text(config.read_text().replace(server.url, f"{server.url}?api={SECRET}"))
    config.chmod(0o600)
    return home


@pytest.mark.parametrize("status", [200, 401, 404, 413, 503])
def test_they_are_nowhere_but_on_the_wire(told: Home, server: FormServer, status: int) -> None:
    # A server that repeats what it was sent is where secrets leak.
    said = f"no such place: {server.origin}/up?api={SECRET} {SECRET.encode().hex()}"
    server.answer = lambda _: answer(status, said.encode(), reason=SECRET)
    server.question = lambda: (answer(status, said.encode(), reason=SECRET),)
    for line in LINES:
        done = told.run(*line)
        _is_clean(done.stdout + done.stderr, " ".join(line))
    assert server.ledger[0].path.endswith(f"?api={SECRET}")
    for path in told.folder.rglob("*"):
        if path.is_file() and path != told.config_file:
            _is_clean(path.read_bytes().decode("latin-1"), str(path))


def test_those_of_an_album_by_url_are_not_shown(home: Home, server: FormServer) -> None:
    url = f"{server.url}?api={SECRET}"
    trip = home.photos(2)
    server.says(503)
    lines = (
        ["push", trip, "-n", "--url", url],
        ["push", trip, "--url", url, "--patience", "0", "--json"],
        ["push", trip, "--file-field", "photo"],
        ["push", trip, "--url", f"{url}-2", "--patience", "0"],
        ["resume", "--patience", "0"],
        ["status"],
        ["target", "list"],
        ["target", "show", "127.0.0.1"],
        ["target", "check", "127.0.0.1"],
    )
    for line in lines:
        done = home.run(*line)
        _is_clean(done.stdout + done.stderr, str(line))
    assert f"{server.url}?api=********" in home.run("target", "list").stdout


@pytest.mark.parametrize("kind", ["immich", "inbox"])
def test_a_sites_address_has_no_query(home: Home, kind: str) -> None:
    text = f'[targets.home]\nkind = "{kind}"\nurl = "https://h.invalid/?api={SECRET}"\n'
    home.config(text).chmod(0o600)
    done = home.run("push", home.photos(1))
    assert done.returncode == 4
    assert "targets.home.url: the address of the site alone, without ? and #" in done.stderr
    _is_clean(done.stderr, "push")


def test_a_changed_secret_is_another_address(told: Home, server: FormServer) -> None:
    assert told.run("push", "trip").returncode == 0
    with open_reader(str(told.journal)) as connection:
        rows = connection.execute("select accepted_url from target").fetchall()
    assert [row[0].partition(" ")[0] for row in rows] == [f"{server.url}?api=********"]
    told.config_file.write_text(told.config_file.read_text().replace(SECRET, SECRET + "-2"))
    load(str(told.config_file))
    server.says(404)
    told.photos(3)
    assert told.run("push", "trip").returncode == 4, "the new address has never taken a photo"


def _is_clean(text: str, where: str) -> None:
    for secret in (SECRET, SECRET.encode().hex(), PING):
        assert secret not in text, where
