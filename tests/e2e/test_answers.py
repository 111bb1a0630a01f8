"""What the command makes of answers that are compressed, spelt or sent in other ways than the plainest."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from .conftest import Home
from .server import Answer, FormServer

ZIPPED = (("Content-Encoding", "gzip"),)
NO, YES = "Größe: zu groß", "schön, daß es da ist"
SAID: dict[str, Answer] = {
    "rejected gzip": Answer(200, gzip.compress(NO.encode()), "text/plain", ZIPPED),
    "rejected deflate": Answer(200, zlib.compress(NO.encode()), "text/plain", (("Content-Encoding", "deflate"),)),
    "rejected latin": Answer(200, NO.encode("latin-1"), "text/plain"),
    "rejected wide": Answer(200, NO.encode("utf-16"), "text/plain"),
    "rejected escapes": Answer(200, json.dumps({"error": NO}).encode()),
    "uploaded gzip": Answer(200, gzip.compress(json.dumps({"ok": YES}).encode()), headers=ZIPPED),
    "uploaded latin": Answer(200, YES.encode("latin-1"), "text/plain; charset=iso-8859-1"),
    "in_doubt brotli": Answer(200, b"\x8b\x02\x80{}\x03", headers=(("Content-Encoding", "br"),)),
    "in_doubt cut": Answer(200, gzip.compress(b" " * 40)[:-9], "text/plain", ZIPPED),
}


@pytest.mark.parametrize("asks", ["failure_text", "success_text"])
def test_answers_are_read_as_they_are_meant(home: Home, server: FormServer, asks: str) -> None:
    """With words for a "no" alone, and with words for a "yes", too."""
    rules = 'failure_text = "^.*Größe: zu groß"\n'
    if asks == "success_text":
        rules += 'success_text = "schön, daß"\n'
    home.form(server, f'{rules}resend = "never"\n')
    server.answer = lambda one: SAID[one.filename.removesuffix(".JPG")]
    folder = home.photos(len(SAID))
    for photo, name in zip(sorted(folder.iterdir()), SAID, strict=True):
        photo.rename(folder / f"{name}.JPG")
    assert home.run("push", folder).returncode == 3
    assert home.states() == {f"{name}.JPG": name.partition(" ")[0] for name in SAID}
    assert len(server.ledger) == len(SAID)


def test_an_id_is_found_in_a_compressed_answer(home: Home, server: FormServer) -> None:
    server.answer = lambda _: Answer(201, gzip.compress(b'{"id": 7}'), headers=ZIPPED)
    home.form(server, 'id = "id"')
    assert home.run("push", home.photos(1)).returncode == 0
    (task,) = home.tasks()
    assert (task["state"], task["remote_id"], task["attempts"]) == ("uploaded", "7", 1)
