"""What servers of the field say in their answers: a "no" inside a 2xx, and their words in whatever
shape they come."""

from __future__ import annotations

import json
from typing import Any

import pytest

from albumup.targets.answers import json_in, no_in, no_of, words_of
from albumup.transfer import Answer


def answer(said: str | bytes, mime: str = "application/json") -> Answer:
    data = said if isinstance(said, bytes) else said.encode()
    return Answer(400, "Bad Request", {"content-type": mime}, data, True)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e400", r'"\ud83d"'])
def test_json_that_strict_readers_refuse_is_read_all_the_same(number: str) -> None:
    """PHP and Python write it."""
    assert no_in(json_in(answer(f'{{"progress": {number}, "success": false}}')))


@pytest.mark.parametrize(
    "said",
    [
        {"success": False},
        {"success": 0, "msg": "no"},
        {"success": "false"},
        {"ok": False, "description": "no"},
        {"error": "Missing file"},
        {"error": True, "message": "no"},
        {"error": 1},
        {"error": {"code": 7, "message": "no"}},
        {"errors": ["no"]},
        {"errors": {"file": ["no"]}},
        {"jsonrpc": "2.0", "error": {"code": -32600, "message": "no"}},
        {"status": "error", "message": "no"},
        {"status": "fail", "data": {"file": "no"}},
        {"status": "FAILED"},
        {"status": False, "msg": "no"},
        {"status": 413, "title": "too large"},
        {"statusCode": "400", "message": "no"},
        {"stat": "fail", "err": 999, "message": "no"},
        {"code": 500, "msg": "no", "data": None},
        {"data": {"id": 1, "error": "no"}},
        {"result": {"success": False}},
        {"files": [{"name": "a.jpg", "size": 5, "error": "Filetype not allowed"}]},
        [{"name": "a.jpg", "error": "no"}],
        {"Success": False, "Message": "no"},
        {"isSuccess": False},
        {"Result": {"Errors": ["no"]}},
        {"StatusCode": 400, "message": "no"},
        False,
    ],
    ids=json.dumps,
)
def test_json_that_says_no(said: Any) -> None:
    assert no_in(said)


@pytest.mark.parametrize(
    "said",
    [
        None,
        7,
        "fine",
        [],
        {},
        {"success": True, "error": None, "errors": []},
        {"success": {"message": "image uploaded", "code": 200}, "status_code": 200},
        {"ok": True, "error": ""},
        {"error": False, "errors": {}},
        {"error": 0},
        {"error": "0"},
        {"error": {"code": 0, "message": ""}},
        {"errors": [None, ""]},
        {"status": "ok", "state": "error-free"},
        {"status": 200},
        {"status": 0},
        {"status": 4000},
        {"code": 413},
        {"id": "error", "name": "fail"},
        {"files": [{"name": "error.jpg", "size": 5, "error": None}]},
        {"exif": {"error": "no date"}},
        {"Success": True, "Errors": []},
        {"success": True, "Success": None},
    ],
    ids=json.dumps,
)
def test_json_that_does_not_say_no(said: Any) -> None:
    assert not no_in(said)


@pytest.mark.parametrize(
    ("text", "no"),
    [
        ('Warning: disk full in /var/up.php\n{"success": false}', "success = false"),
        ('{"error": "no"}\n<br />\n<b>Warning</b>: {main}', "error"),
        ('done({"ok": false});', "ok = false"),
        (')]}\',\n{"status": "error"}', 'status = "error"'),
        ('{"success": true}{"success": false}', "success = false"),
        ('<?xml version="1.0"?>\n<rsp stat="fail"><err code="1" msg="no"/></rsp>', 'stat="fail"'),
        ("<Error><Code>AccessDenied</Code></Error>", "error"),
        ("Notice: x {y}\n" + '{"success": true, "files": [{"error": null}]}', ""),
        ('<rsp stat="ok"><err>0</err></rsp>', ""),
        ('<photo id="1" state="failed over"/>', ""),
        ("stored", ""),
        ("{" * 60_000, ""),
    ],
)
def test_a_no_in_text_that_is_no_json(text: str, no: str) -> None:
    found = answer(text)
    assert json_in(found) is None
    assert no_of(found, None) == no


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"message": "Too large"}, "Too large"),
        ({"error": "No file"}, "No file"),
        ({"error": True, "message": "Too large"}, "Too large"),
        ({"success": False, "msg": "Missing album"}, "Missing album"),
        (
            {"statusCode": 400, "message": ["a is wrong", "b is wrong"], "error": "Bad Request"},
            "a is wrong; b is wrong",
        ),
        (
            {"error": {"message": "File too big", "code": 400}, "status_txt": "Bad Request"},
            "File too big",
        ),
        ({"error": "invalid_token", "error_description": "The token expired"}, "The token expired"),
        (
            {"type": "about:blank", "title": "Out of credit", "detail": "Your balance is 30"},
            "Out of credit: Your balance is 30",
        ),
        ({"title": "Out of credit", "status": 403}, "Out of credit"),
        (
            {
                "detail": [
                    {
                        "type": "missing",
                        "loc": ["body", "file"],
                        "msg": "Field required",
                        "input": None,
                    }
                ]
            },
            "body.file: Field required",
        ),
        ({"detail": "There was an error parsing the body"}, "There was an error parsing the body"),
        (
            {
                "message": "The photo failed to upload.",
                "errors": {"photo": ["The photo failed to upload."]},
            },
            "The photo failed to upload.",
        ),
        (
            {"message": "Invalid.", "errors": {"photo": ["Too large.", "No image."]}},
            "Invalid.; photo: Too large.; photo: No image.",
        ),
        (
            {
                "errors": [
                    {"title": "Invalid", "detail": "No photo", "source": {"pointer": "/data"}}
                ]
            },
            "Invalid: No photo",
        ),
        ({"errors": ["one", "two"]}, "one; two"),
        ({"errors": "one"}, "one"),
        (
            {"message": "Validation failed", "errors": [{"path": ["file"], "message": "Required"}]},
            "Validation failed; file: Required",
        ),
        ({"status": "fail", "data": {"file": "too large"}}, "file: too large"),
        (
            {"photo": ["The submitted data was not a file."]},
            "photo: The submitted data was not a file.",
        ),
        ({"non_field_errors": ["Album is closed."]}, "non_field_errors: Album is closed."),
        ({"files": [{"name": "a.jpg", "error": "Filetype not allowed"}]}, "Filetype not allowed"),
        (
            {"timestamp": 1, "status": 413, "error": "Payload Too Large", "path": "/up"},
            "Payload Too Large",
        ),
        (["first", "second"], "first; second"),
        ("only text", "only text"),
        ({"message": "two\nlines\tof it"}, "two lines of it"),
        ({"id": 7}, ""),
        (7, ""),
    ],
)
def test_the_words_in_json(said: Any, words: str) -> None:
    found = answer(json.dumps(said))
    assert words_of(found, json_in(found)) == words


@pytest.mark.parametrize(
    ("said", "mime", "words"),
    [
        (
            "Sorry, your file is too large.",
            "text/html; charset=UTF-8",
            "Sorry, your file is too large.",
        ),
        ("\n  Disk full\nat line 7\n", "text/plain", "Disk full"),
        (
            "<html><head><title>413 Request Entity\n Too Large</title></head><body>",
            "text/html",
            "413 Request Entity Too Large",
        ),
        ("<!doctype html><title></title><h1>Bad &amp; <b>ugly</b></h1>", "text/html", "Bad & ugly"),
        (
            "<br />\n<b>Warning</b>:  Permission denied in <b>up.php</b>",
            "text/html",
            "Warning : Permission denied in up.php",
        ),
        (
            "<title>400 Bad Request</title><h1>Bad Request</h1>"
            "<p>The key 'photo' is missing.</p><p>Bye</p>",
            "text/html",
            "The key 'photo' is missing.",
        ),
        (
            "<title>400 Bad Request</title><center><h1>400 Bad Request</h1></center><hr>nginx",
            "text/html",
            "",
        ),
        ("<script>var x = 'no';</script><p>Zu groß</p>", "text/html", "Zu groß"),
        (
            '<?xml version="1.0"?><Error><Code>X</Code>'
            "<Message>Your upload is too large</Message></Error>",
            "application/xml",
            "Your upload is too large",
        ),
        (
            "<d:error><s:exception>X</s:exception><s:message>Quota &lt;5</s:message></d:error>",
            "application/xml",
            "Quota <5",
        ),
        ("3 < 5 files", "text/plain", "3 < 5 files"),
        ("\ufeff" + '{"error": "no"}', "text/html", "no"),
        (b"\xff\xd8\xff\xe0 bytes", "image/jpeg", ""),
        (b"a\0b", "text/plain", ""),
        ("", "text/plain", ""),
    ],
)
def test_the_words_in_other_answers(said: str | bytes, mime: str, words: str) -> None:
    found = answer(said, mime)
    assert words_of(found, json_in(found)) == words


def test_words_nested_without_end_come_to_an_end() -> None:
    deep = answer('{"error": ' * 50 + '"no"' + "}" * 50)
    assert words_of(deep, json_in(deep)) == ""
    deeper = answer('{"error": ' * 4000 + '"no"' + "}" * 4000)
    assert words_of(deeper, json_in(deeper)) == (deeper.text or "")
    wide = answer(json.dumps({"errors": {f"f{number}": ["x"] * 1000 for number in range(1000)}}))
    assert len(words_of(wide, json_in(wide))) < 200
