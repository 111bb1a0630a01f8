"""What the command makes of answers that are compressed, spelt or sent in other ways than the
plainest."""

from __future__ import annotations

import gzip
import json
import os
import zlib

import pytest
from servers import TAKEN, FormServer, Script, Step, answer, close, read, send, stall, until_closed

from .conftest import Home

ZIPPED = (("Content-Encoding", "gzip"),)
NO, YES = "Größe: zu groß", "schön, daß es da ist"
SAID: dict[str, Step] = {
    "uploaded gzip": answer(200, gzip.compress(json.dumps({"ok": YES}).encode()), headers=ZIPPED),
    "uploaded latin": answer(200, YES.encode("latin-1"), mime="text/plain; charset=iso-8859-1"),
    "rejected gzip": answer(200, gzip.compress(NO.encode()), mime="text/plain", headers=ZIPPED),
    "rejected deflate": answer(
        200,
        zlib.compress(NO.encode()),
        mime="text/plain",
        headers=(("Content-Encoding", "deflate"),),
    ),
    "rejected latin": answer(200, NO.encode("latin-1"), mime="text/plain"),
    "rejected wide": answer(200, NO.encode("utf-16"), mime="text/plain"),
    "rejected escapes": answer(200, json.dumps({"error": NO}).encode()),
    "in_doubt brotli": answer(200, b"\x8b\x02\x80{}\x03", headers=(("Content-Encoding", "br"),)),
    "in_doubt cut": answer(200, gzip.compress(b" " * 40)[:-9], mime="text/plain", headers=ZIPPED),
}
"""A yes first: a server that never accepted a photo is given up after a few refusals."""


@pytest.mark.parametrize("asks", ["failure_text", "success_text"])
def test_answers_are_read_as_they_are_meant(home: Home, server: FormServer, asks: str) -> None:
    """With words for a "no" alone, and with words for a "yes", too."""
    rules = 'failure_text = "^.*Größe: zu groß"\n'
    if asks == "success_text":
        rules += 'success_text = "schön, daß"\n'
    home.form(server, f'{rules}resend = "never"\n')
    server.answer = lambda one: SAID[one.filename[2:-4]]
    folder = home.photos(len(SAID))
    names = [f"{number} {name}.JPG" for number, name in enumerate(SAID)]
    for photo, name in zip(sorted(folder.iterdir()), names, strict=True):
        photo.rename(folder / name)
    assert home.run("push", folder).returncode == 3
    assert home.states() == {name: name.split()[1] for name in names}
    assert len(server.ledger) == len(SAID)


@pytest.mark.process
def test_an_id_is_found_in_a_compressed_answer(home: Home, server: FormServer) -> None:
    server.answer = lambda _: answer(201, gzip.compress(b'{"id": 7}'), headers=ZIPPED)
    home.form(server, 'id = "id"')
    assert home.run("push", home.photos(1)).returncode == 0
    (task,) = home.tasks()
    assert (task["state"], task["remote_id"], task["attempts"]) == ("uploaded", "7", 1)


def set_up(home: Home, server: FormServer, more: str = "") -> None:
    home.config(f'[targets.club]\nkind = "form"\nurl = "{server.url}"\nresend = "never"\n{more}')


def big(home: Home, number: int) -> None:
    """A photo that no buffers on the way hold."""
    os.truncate(home.folder / "trip" / f"IMG_{number}.JPG", 16 << 20)


def attempts(home: Home) -> list[tuple[str, int]]:
    return [(task["state"], task["attempts"]) for task in home.tasks()]


def test_a_server_that_closes_after_each_answer_unannounced_costs_nothing(
    home: Home, server: FormServer
) -> None:
    server.taken = [*TAKEN, close]
    set_up(home, server)
    assert home.run("push", home.photos(12), "--jobs", 2, "--retries", 0).returncode == 0
    assert attempts(home) == [("uploaded", 1)] * 12
    assert len(server.ledger) == 12


@pytest.mark.parametrize("status", [401, 409, 413])
def test_a_late_answer_is_not_taken_for_the_next_photos(
    home: Home, server: FormServer, status: int
) -> None:
    late: Script = [read(16_384), answer(status), stall]
    server.rule = lambda number, _name: late if number == 2 else None
    set_up(home, server, 'duplicate = [409]\n[targets.club.fields]\nsum = "{sha256}"')
    folder = home.photos(2)
    big(home, 2)
    assert home.run("push", folder, "--retries", 0, "--jobs", 1).returncode == 0
    assert attempts(home) == [("uploaded", 1)] * 2
    assert len(server.ledger) == 2


@pytest.mark.long
def test_a_server_that_reads_on_after_its_no_is_understood(home: Home, server: FormServer) -> None:
    said = (
        b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n"
        b"no more than 2 MB"
    )
    server.rule = lambda _number, _name: [read(16_384), send(said), until_closed]
    set_up(home, server)
    folder = home.photos(1)
    big(home, 1)
    done = home.run("push", folder, "--retries", 0)
    assert done.returncode == 3
    assert attempts(home) == [("rejected", 1)]
    assert "413 Too Large" in done.stderr


def test_a_proxy_that_cannot_be_read_is_a_matter_of_the_configuration(
    home: Home, server: FormServer
) -> None:
    home.form(server, f'check = "http://127.0.0.1:{server.port}/me"')
    bad = {"http_proxy": "http://anna:s3cr3t/pw@127.0.0.1:9"}
    for line in (
        ["push", home.photos(1)],
        ["resume"],
        ["target", "check", "club"],
        ["target", "try", "club", home.folder / "trip/IMG_1.JPG"],
    ):
        done = home.run(*line, **bad)
        assert done.returncode == 4, line
        assert "http_proxy" in done.stderr, line
        assert "s3cr3t" not in done.stdout + done.stderr, line
    assert set(home.states().values()) == {"pending"}
    assert home.run("resume").returncode == 0
