"""The body of an answer, however its server compresses it and spells its characters."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib

import pytest

from albumup.transfer import MOST_ANSWER, Answer

WORDS = "Größe: zu groß"
PLAIN = {"content-type": "text/plain"}


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def said(
    raw: bytes, encoding: str = "", kind: str = "text/plain", *, complete: bool = True
) -> Answer:
    return Answer.of(
        200, "OK", {"content-type": kind, "content-encoding": encoding}, raw, complete=complete
    )


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [
        ("", b"zu gross"),
        ("identity", b"zu gross"),
        ("utf-8", b"zu gross"),
        ("gzip", gzip.compress(b"zu gross", mtime=0)),
        ("X-GZip", gzip.compress(b"zu gross", mtime=0)),
        ("", gzip.compress(b"zu gross", mtime=0)),
        ("gzip", gzip.compress(b"zu ", mtime=0) + gzip.compress(b"gross", mtime=0) + b"\0\0"),
        ("deflate", zlib.compress(b"zu gross")),
        ("deflate", raw_deflate(b"zu gross")),
        ("deflate, gzip", gzip.compress(zlib.compress(b"zu gross"), mtime=0)),
        ("identity , gzip", gzip.compress(b"zu gross", mtime=0)),
    ],
)
def test_an_encoding_is_undone(encoding: str, raw: bytes) -> None:
    answer = said(raw, encoding)
    assert (answer.body, answer.text, answer.complete) == (b"zu gross", "zu gross", True)


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [
        ("br", b"\x8b\x02\x80zu gross\x03"),
        ("zstd", b"(\xb5/\xfd"),
        ("gzip", b"zu gross"),
        ("gzip", gzip.compress(b"zu gross", mtime=0)[:-8] + b"\1\2\3\4\0\0\0\0"),
        ("deflate", b"\xff\xff\xff\xff"),
        ("gzip, br", b"zu gross"),
        ("gzip, gzip, gzip, gzip", b"zu gross"),
    ],
)
def test_what_cannot_be_undone_says_nothing(encoding: str, raw: bytes) -> None:
    answer = said(raw, encoding)
    assert (answer.body, answer.text, answer.search("zu gross")) == (b"", None, None)


def test_an_encoding_of_nothing_is_nothing() -> None:
    assert [said(b"", encoding).text for encoding in ("br", "gzip", "deflate")] == ["", "", ""]


def test_what_was_cut_before_it_was_compressed_whole_is_not_complete() -> None:
    raw = gzip.compress(json.dumps({"id": "x" * 100}).encode())
    answer = said(raw[:-12], "gzip")
    assert answer.text is not None
    assert answer.text.startswith('{"id": "')
    assert not answer.complete
    assert not said(raw, "gzip", complete=False).complete


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_costs_no_more_than_an_answer(encoding: str) -> None:
    bomb = {"gzip": gzip.compress, "deflate": zlib.compress}[encoding](b" " * (32 << 20))
    tracemalloc.start()
    answer = said(bomb, encoding)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(answer.body), answer.complete) == (MOST_ANSWER, False)
    assert peak < 1 << 20


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("text/plain", WORDS.encode()),
        ("text/plain", WORDS.encode("latin-1")),
        ("", WORDS.encode("cp1252")),
        ("text/plain; charset=ISO-8859-1", WORDS.encode("latin-1")),
        ('text/html;Charset="iso-8859-15" ; x=y', WORDS.encode("iso-8859-15")),
        ("text/plain; charset=utf-8", WORDS.encode()),
        ("text/plain; charset=utf-8", WORDS.encode("latin-1")),
        ("text/plain; charset=us-ascii", WORDS.encode()),
        ("text/plain; charset=klingon", WORDS.encode()),
        ("text/plain; charset=zlib", WORDS.encode()),
        ("text/plain; charset=utf-16le", WORDS.encode("utf-16-le")),
        ("text/plain; charset=utf-16", WORDS.encode("utf-16")),
        ("text/plain", WORDS.encode("utf-16")),
        ("text/plain; charset=iso-8859-1", WORDS.encode("utf-8-sig")),
        ("text/plain", WORDS.encode("utf-32")),
        ("text/html", b'<html><meta charset="latin1"><p>' + WORDS.encode("latin-1")),
        (
            "text/html",
            b"<html><meta http-equiv=x content='text/html; charset=cp850'>" + WORDS.encode("cp850"),
        ),
        ("text/html", b"<!doctype html>Gr&ouml;&szlig;e: zu gro&#223;"),
        ("text/xml", b'<?xml version="1.0" encoding="ISO-8859-1"?>' + WORDS.encode("latin-1")),
        ("text/xml", b"<error>Gr&#xF6;&#223;e: zu gro&#xdf;</error>"),
        ("application/json", json.dumps({"error": WORDS}).encode()),
        ("application/json", json.dumps({"error": WORDS}, ensure_ascii=False).encode("utf-16-le")),
        ("application/json", json.dumps({"error": WORDS}, ensure_ascii=False).encode("utf-16-be")),
        ("application/json", json.dumps({"error": WORDS}, ensure_ascii=False).encode("utf-32-be")),
        (
            "application/json; charset=iso-8859-1",
            json.dumps({"error": WORDS}, ensure_ascii=False).encode(),
        ),
        (
            "application/json; charset=iso-8859-1",
            json.dumps({"error": WORDS}, ensure_ascii=False).encode("latin-1"),
        ),
        ("text/html", json.dumps({"error": WORDS}).encode()),
        ("text/plain", "Gro\u0308\u00dfe: zu gro\u00df".encode()),
    ],
)  # fmt: skip
def test_a_rule_finds_its_words(kind: str, raw: bytes) -> None:
    assert said(raw, kind=kind).search(r"Größe: zu groß")


def test_json_is_read_with_its_escapes() -> None:
    answer = said(rb'{"error": "100\u20ac \ud83d\ude00 in \"a\/b\"\n", "path": "C:\\ue"}')
    for words in ("100€ 😀", '"a/b"\n', r"C:\\ue", r"100\\u20ac"):
        assert answer.search(words), words
    assert not answer.search("C:\x0e")


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("text/plain; charset=klingon", b"zu gro\xdf"),
        ("text/plain; charset=utf-16", b"\xff\xfea"),
        ("", b"\xff\xfea"),
    ],
)
def test_a_charset_that_is_not_known_or_not_what_came_says_nothing(kind: str, raw: bytes) -> None:
    assert said(raw, kind=kind).text is None


def test_a_character_that_was_cut_is_left_out() -> None:
    answer = said(WORDS.encode()[:-1], complete=False)
    assert answer.text == WORDS[:-1]


def test_a_compressed_page_is_known_as_one() -> None:
    assert said(gzip.compress(b"<!DOCTYPE html><p>Sign in", mtime=0), "gzip").is_page
    assert said("<html>".encode("utf-16")).is_page
