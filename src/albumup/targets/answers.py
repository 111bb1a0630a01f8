"""Finds the server's message in an answer, and whether its JSON says no, where no rule describes
the answer.

Known shapes: RFC 9457 (problem+json), JSON:API, JSend, the lists of FastAPI and Django REST, the
maps of fields of Laravel and Rails, ``error.message`` of Chevereto and Google, ``error`` beside
``message`` of Spring and NestJS, ``files[0].error`` of jQuery File Upload, XML of S3 and WebDAV, a
page's title, a line of text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from albumup.transfer import Answer

_MESSAGES = (
    "message", "error_description", "error_message", "errorMessage",
    "detail", "msg", "reason", "description", "title",
)  # fmt: skip
"""Keys of messages for people, the best first."""
_WITHIN = (
    "files", "file", "data", "result", "results", "response",
    "upload", "uploads", "image", "images", "0",
)  # fmt: skip
"""Keys below which an answer to a form may describe the one file."""
_STATES = ("status", "stat", "state", "result")
_CODES = ("statuscode", "status_code", "code")
_NO = frozenset({"error", "err", "fail", "failed", "failure"})
_EMPTY = frozenset({"", "0", "false", "none", "null", "ok"})
"""Values of ``error`` that mean no error."""
_SUCCESSES = ("success", "issuccess", "is_success", "succeeded", "ok")
_XML_NO = re.compile(
    r"""\s*(?:<\?xml\b[^<>]*>\s*)?<(?:[\w-]+:)?(?:(error|errors|fault)\b"""
    r"""|[\w-]+\b[^<>]*\b((?:stat|status|success)\s*=\s*["'](?:fail|failed|error|false)["']))""",
    re.IGNORECASE,
)
"""XML whose outermost element says no: S3's, and ``<rsp stat="fail">`` of Flickr and Piwigo."""
_MOST_TRIED = 20
"""The most places in a text at which JSON is looked for."""
_DEPTH = 5
_MOST_PARTS = 5
# Bounded, and never past the next tag's start: hostile text must not cost its length squared.
_PAGE_WORDS = re.compile(
    r"<(title|h1|h2|p)\b[^<>]*>(.{0,1000}?)</\1\s*>", re.IGNORECASE | re.DOTALL
)
_PAGE_START = 16 << 10
"""The most characters of a page that are searched."""
_NO_LETTERS = re.compile(r"[\W\d_]+")
_XML_MESSAGE = re.compile(r"<((?:[\w-]+:)?message)\b[^<>]*>([^<]+)</\1\s*>", re.IGNORECASE)
_CODE = re.compile(r"<(script|style)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z!][^<>]*>")
_BINARY = ("image/", "video/", "audio/", "font/", "application/octet-stream")


def json_in(answer: Answer) -> Any:
    """The JSON value of an answer, whatever its Content-Type says; None if it is not JSON."""
    text = (answer.text or "").lstrip("\ufeff")
    try:  # reads nearly all, in a tenth of the time; it refuses NaN and lone surrogates
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def no_of(answer: Answer, said: Any) -> str:
    """The part of an answer that says no, for people; "" if none does. ``said``: its JSON.

    JSON is also looked for between warnings that PHP prints, and in a script's call. XML says no in
    its own way.
    """
    if said is not None:
        return no_in(said)
    text = answer.text or ""
    if xml := _XML_NO.match(text):
        return xml[2] or xml[1].lower()
    return next((found for part in _json_within(text) if (found := no_in(part))), "")


def _json_within(text: str) -> Iterator[Any]:
    """The JSON objects within a text that is not JSON itself."""
    decoder, at = json.JSONDecoder(), -1
    for _ in range(_MOST_TRIED):
        if (at := text.find("{", at + 1)) < 0:
            return
        try:
            part, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            continue
        yield part
        at = end - 1


def no_in(said: Any) -> str:
    """The part of a JSON answer that says no, for people (``success = false``); "" if none does.

    The keys ``success``, ``ok``, ``error``, ``errors`` and ``status`` count, in the value itself
    and in its part about the file, in any case (ASP.NET writes ``Success``).
    """
    if said is False:
        return "false"
    for part in _parts_of(said):
        if found := _no_of(part):
            return found
    return ""


def _parts_of(said: Any) -> Iterator[dict[str, Any]]:
    """The objects that may tell how it went: the outermost, and those about a file below it."""
    outer = said if isinstance(said, list) else [said]
    for one in outer[:_MOST_PARTS]:
        if not isinstance(one, dict):
            continue
        yield (outermost := _folded(one))
        for key in _WITHIN if not _PLACES.isdisjoint(outermost) else ():
            within = outermost.get(key)
            parts = within if isinstance(within, list) else [within]
            yield from (_folded(part) for part in parts[:_MOST_PARTS] if isinstance(part, dict))


def _folded(part: dict[str, Any]) -> dict[str, Any]:
    """The object with its keys in lower case; if two collide, the one in lower case wins."""
    if "".join(part).islower():
        return part
    return {key.lower(): value for key, value in part.items()} | part


_PLACES = frozenset(_WITHIN)
_TELLING = frozenset((*_SUCCESSES, "error", "errors", *_STATES, *_CODES))
_FAULT = re.compile("[45][0-9][0-9]")


def _no_of(part: dict[str, Any]) -> str:
    if _TELLING.isdisjoint(part):
        return ""
    for key in _SUCCESSES:
        if key in part and str(part[key]).lower() in ("false", "0", "no"):
            return f"{key} = {json.dumps(part[key])}"
    for key in ("error", "errors"):
        if key in part and not _is_empty(part[key]):
            return key
    for key in (*_STATES, *_CODES):
        if key not in part:
            continue
        value = part[key]
        if (key == "status" and value is False) or (
            isinstance(value, str) and value.lower() in _NO
        ):
            return f"{key} = {json.dumps(value)}"
        has_words = key != "code" or "msg" in part or "message" in part
        if key != "state" and has_words and _FAULT.fullmatch(str(value)):
            return f"{key} = {json.dumps(value)}"
    return ""


def _is_empty(value: Any) -> bool:
    """Does the value of ``error`` mean no error?"""
    if isinstance(value, str):
        return value.strip().lower() in _EMPTY
    if isinstance(value, dict):
        return all(_is_empty(one) for one in value.values())
    if isinstance(value, list):
        return all(_is_empty(one) for one in value)
    return not value


def words_of(answer: Answer, said: Any) -> str:
    """The server's message for people, on one line, of any length; "" if there is none.

    ``said``: the answer's JSON. Mask the message before cutting it, and escape it before showing
    it.
    """
    if isinstance(said, dict | list | str):
        return words_in_json(said)
    if said is not None or not (text := answer.text):
        return ""
    if answer.headers.get("content-type", "").lower().startswith(_BINARY) or "\0" in text:
        return ""
    start = text.lstrip("\ufeff").strip()
    if message := _XML_MESSAGE.search(start):
        return _unescaped(message[2])
    if start.startswith("<"):
        return _words_of_page(start[:_PAGE_START], answer.reason)
    return _plain(start.partition("\n")[0])


def _words_of_page(page: str, reason: str) -> str:
    """A page's title, or the next heading or paragraph if the title only repeats the ``reason`` of
    the status."""
    known = {"", _NO_LETTERS.sub("", reason).lower()}
    found = [_plain(part[2]) for part in _PAGE_WORDS.finditer(page)]
    if not any(found):
        return _plain(_CODE.sub(" ", page))
    return next((one for one in found if _NO_LETTERS.sub("", one).lower() not in known), "")


def words_in_json(said: Any) -> str:
    """The messages for people in a JSON value, as in ``words_of``."""
    found = list(dict.fromkeys(" ".join(one.split()) for one in _gather(said, 0)))
    return "; ".join([one for one in found if one][:_MOST_PARTS])


def resolved(text: str) -> str:
    """Resolve the escapes of a text that a pattern found within JSON; other text stays as it is."""
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text


def _unescaped(text: str) -> str:
    """Resolve character references, and put the text on one line."""
    import html  # it loads a table of 2,200 names, which most runs never need

    return " ".join(html.unescape(text).split())


def _plain(markup: str) -> str:
    """Remove tags, which PHP scripts put around their messages."""
    return _unescaped(_TAG.sub(" ", markup))


def _gather(said: Any, depth: int) -> Iterator[str]:
    """The messages in a JSON value, the best first."""
    if isinstance(said, str):
        yield said
    elif depth < _DEPTH and isinstance(said, list):
        for one in said[:_MOST_PARTS]:
            yield from _gather(one, depth + 1)
    elif depth < _DEPTH and isinstance(said, dict):
        yield from _gather_from(said, depth + 1)


def _gather_from(said: dict[str, Any], depth: int) -> Iterator[str]:
    place = _place_of(said)
    title, detail = said.get("title"), said.get("detail")
    words: list[str] = []
    if isinstance(title, str) and isinstance(detail, str) and title and detail:
        words = [detail] if title in detail else [f"{title}: {detail}"]
    for key in _MESSAGES:
        words = words or list(_gather(said.get(key), depth))
    if not words and not _is_empty(error := said.get("error")):
        words = list(_gather(error, depth)) or _fields_of(error, depth)
    if not _is_empty(errors := said.get("errors")):
        more = _fields_of(errors, depth) or list(_gather(errors, depth))
        words += [one for one in more if not any(one.endswith(known) for known in words)]
    for key in _WITHIN:
        if not words and isinstance(said.get(key), dict | list):
            words = list(_gather(said[key], depth)) or _fields_of(said[key], depth)
    if not words and depth == 1:
        words = _fields_of(
            {key: value for key, value in said.items() if isinstance(value, list)}, depth
        )
    yield from (f"{place}: {one}" if place else one for one in words)


def _place_of(said: dict[str, Any]) -> str:
    """The field that an error is about: FastAPI's ``loc``, others' ``path``, ``field`` or
    ``param``."""
    for key in ("loc", "path", "field", "param"):
        where = said.get(key)
        if "type" not in said and "msg" not in said and "message" not in said:
            return ""
        if isinstance(where, list):
            return ".".join(map(str, where))
        if isinstance(where, str) and where and not where.startswith("/"):
            return where
    return ""


def _fields_of(said: Any, depth: int) -> list[str]:
    """The messages of a map from fields to their errors: Laravel's, Rails', Django's."""
    if not isinstance(said, dict) or depth >= _DEPTH:
        return []
    faults = [
        (key, value) for key, value in said.items() if isinstance(value, list | str) and value
    ]
    if not faults or any(
        isinstance(one, dict) for _, value in faults if isinstance(value, list) for one in value
    ):
        return []
    lists = [fault for fault in faults if isinstance(fault[1], list)]
    return [f"{key}: {one}" for key, value in lists or faults for one in _gather(value, depth)]


def object_of(answer: Answer) -> dict[str, Any]:
    """The JSON object of an answer; empty if the answer holds none."""
    said = json_in(answer)
    return said if isinstance(said, dict) else {}


def words_in(text: str, most: int = 300) -> str:
    """A server's message in one line of at most ``most`` characters, fit for the journal."""
    return " ".join(text.split())[:most]
