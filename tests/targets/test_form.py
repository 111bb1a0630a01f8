"""``kind = "form"``: what each key of its table does, on the wire and to the verdict."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fixtures import JSON, TOKEN, configured, prepare
from servers import FormServer, Line, Received, Server, Step, answer, body, head

from albumup.errors import ConfigError
from albumup.targets.base import Target, Verdict, VerdictKind
from albumup.transfer import Answer
from albumup.uploader.alone import Alone, send_alone

STORED, DUPLICATE, REJECTED, REFUSED, UNPROVEN = (
    VerdictKind.STORED, VerdictKind.DUPLICATE, VerdictKind.REJECTED, VerdictKind.REFUSED,
    VerdictKind.UNPROVEN,
)  # fmt: skip
PHOTOS = Path(__file__).parent.parent / "photos"
DATA = b"\xff\xd8\xff a photo"
PAGE = b"<!doctype html><p>Danke!"


@pytest.fixture
def sink() -> Iterator[FormServer]:
    with FormServer() as sink:
        yield sink


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "IMG 4101.JPG"
    path.write_bytes(DATA)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


@pytest.fixture
def form(tmp_path: Path, sink: FormServer) -> Callable[..., Target]:
    """A target whose table has these lines, at the sink unless another URL is given."""

    def made(lines: str = "", url: str = "") -> Target:
        return configured(
            tmp_path / "config", f'kind = "form"\nurl = "{url or sink.origin}/up"\n{lines}'
        )

    return made


def arrived(sink: FormServer, target: Target, path: Path, **more: int | str) -> Received:
    """What the server makes of a photo."""
    send_alone(target, prepare(target, path, **more))  # type: ignore[arg-type]
    return sink.ledger[-1]


def verdict_of(
    target: Target, path: Path, status: int, said: bytes = b"{}", **headers: str
) -> Verdict:
    given = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return target.read_answer(
        Answer(status, "Said", given, said, True), prepare(target, path).photo
    )


# What is sent.


def test_the_least_that_can_be_configured(
    sink: FormServer, form: Callable[..., Target], photo: Path
) -> None:
    received = arrived(sink, form(), photo)
    assert received == Received({}, "IMG 4101.JPG", hashlib.sha256(DATA).hexdigest(), len(DATA))
    assert received.head is not None
    assert (received.head.method, received.head.target) == ("POST", "/up")
    assert "authorization" not in received.head.headers


def test_fields_come_in_the_order_of_the_file_and_before_the_photo(
    form: Callable[..., Target], photo: Path
) -> None:
    target = form('[targets.club.fields]\nzebra = "1"\nalpha = "2"\nmiddle = "3"')
    names = re.findall(rb' name="(\w+)"', prepare(target, photo).head)
    assert names == [b"zebra", b"alpha", b"middle", b"file"]


def test_every_template_name(sink: FormServer, form: Callable[..., Target], tmp_path: Path) -> None:
    path = tmp_path / "a.b.jpg"
    shutil.copy(PHOTOS / "photo.jpg", path)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    data = path.read_bytes()
    names = "album name stem suffix path size mime sha256 sha1 md5 index total place"
    lines = [f'{name} = "<{{{name}}}>"' for name in names.split()]
    target = form(
        'timezone = "Asia/Tokyo"\n[targets.club.vars]\nplace = "Zürich"\n[targets.club.fields]\n'
        + "\n".join(
            [*lines, 'numbered = "{index:04d}"', 'modified = "{modified:%Y-%m-%dT%H:%M:%S%z}"']
        )
    )
    assert arrived(sink, target, path, album="trip/2026", index=3, total=7).fields == {
        "album": "<trip/2026>",
        "name": "<a.b.jpg>",
        "stem": "<a.b>",
        "suffix": "<.jpg>",
        "path": "<day 1/a.b.jpg>",
        "size": f"<{len(data)}>",
        "mime": "<image/jpeg>",
        "sha256": f"<{hashlib.sha256(data).hexdigest()}>",
        "sha1": f"<{hashlib.sha1(data).hexdigest()}>",
        "md5": f"<{hashlib.md5(data).hexdigest()}>",
        "index": "<3>",
        "total": "<7>",
        "place": "<Zürich>",
        "numbered": "0003",
        "modified": "2023-11-15T07:13:20+0900",
    }


def test_only_the_digests_that_are_named_are_made(form: Callable[..., Target]) -> None:
    assert set(form().digests) == {"sha256"}
    assert set(form('[targets.club.fields]\na = "{md5}"').digests) == {"sha256", "md5"}
    assert set(form('filename = "{sha1}{suffix}"').digests) == {"sha256", "sha1"}


def test_file_field_and_filename(
    sink: FormServer, form: Callable[..., Target], photo: Path
) -> None:
    target = form('method = "POST"\nfile_field = "photo"\nfilename = "{index:04d}-{name}"')
    received = arrived(sink, target, photo)
    assert received.filename == "0003-IMG 4101.JPG"
    assert received.head is not None
    assert received.head.method == "POST"
    assert b'name="photo"; filename="' in prepare(target, photo).head


def test_an_undecodable_name_can_be_put_into_a_field(
    sink: FormServer, form: Callable[..., Target], tmp_path: Path
) -> None:
    path = os.fsencode(tmp_path) + b"/\xffa.jpg"
    with open(path, "wb") as file:
        file.write(DATA)
    received = arrived(sink, form('[targets.club.fields]\ntitle = "{name}"'), path)  # type: ignore[arg-type]
    assert (received.fields["title"], received.filename) == ("_a.jpg", "_a.jpg")


def test_values_are_encoded_in_the_address(
    sink: FormServer, form: Callable[..., Target], photo: Path
) -> None:
    target = form('[targets.club.vars]\nwho = "a&b"', url=sink.origin + "/{album}/{name}/{who}")
    received = arrived(sink, target, photo, album="50%/Zürich?")
    assert received.head is not None
    assert received.head.target == "/50%25%2FZ%C3%BCrich%3F/IMG%204101.JPG/a%26b/up"


def test_headers_are_sent_as_they_are(
    sink: FormServer, form: Callable[..., Target], photo: Path
) -> None:
    received = arrived(sink, form('[targets.club.headers]\nX-Client = "albumup"'), photo)
    assert received.head is not None
    assert received.head.headers["x-client"] == "albumup"


# The token.


BASIC = "Basic " + base64.b64encode(f"anna:{TOKEN}".encode()).decode()


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ("", {"authorization": f"Bearer {TOKEN}"}),
        ('auth = "bearer"', {"authorization": f"Bearer {TOKEN}"}),
        ('auth = "basic"\nuser = "anna"', {"authorization": BASIC}),
        ('auth = "header:X-Api-Key"', {"x-api-key": TOKEN}),
        ('auth = "none"', {}),
    ],
)
def test_auth(
    sink: FormServer, form: Callable[..., Target], photo: Path, auth: str, expected: dict[str, str]
) -> None:
    received = arrived(sink, form(f'token_file = "token"\n{auth}'), photo)
    assert received.head is not None
    headers = received.head.headers
    carrying = {name for name, value in headers.items() if TOKEN in value or BASIC in value}
    assert {
        name: headers[name] for name in carrying | ({"authorization"} & headers.keys())
    } == expected


TOKEN_FIELD = 'token_file = "token"\n[targets.club.fields]\napikey = "{token}"\ntitle = "{name}"'


def test_a_token_in_a_field_is_sent_and_journaled_nowhere(
    sink: FormServer, form: Callable[..., Target], photo: Path
) -> None:
    target = form(TOKEN_FIELD)
    prepared: Alone = prepare(target, photo)
    assert prepared.body.head is None
    assert prepared.body.length is None
    assert TOKEN not in repr(prepared.body)
    send_alone(target, prepared)
    assert sink.ledger[0].fields == {"apikey": TOKEN, "title": "IMG 4101.JPG"}


def test_a_head_with_a_token_is_framed_anew_with_the_token_of_the_day(
    form: Callable[..., Target], photo: Path, tmp_path: Path
) -> None:
    from albumup.targets.bodies import head_of

    prepared = prepare(form(TOKEN_FIELD), photo)
    other = tmp_path / "config" / "other"
    other.write_text("tomorrow")
    other.chmod(0o600)
    target = form(TOKEN_FIELD.replace('"token"', '"other"'))
    fresh = head_of(prepared.task, prepared.body, target, prepared.photo)
    assert fresh == prepared.head.replace(TOKEN.encode(), b"tomorrow")
    assert prepared.body.boundary.encode() in fresh


@pytest.mark.parametrize(("auth", "header"), [("bearer", f"Bearer {TOKEN}"), ("none", None)])
def test_a_token_in_a_field_does_not_change_auth(
    sink: FormServer, form: Callable[..., Target], photo: Path, auth: str, header: str | None
) -> None:
    received = arrived(sink, form(TOKEN_FIELD.replace("[", f'auth = "{auth}"\n[', 1)), photo)
    assert received.head is not None
    assert received.head.headers.get("authorization") == header
    assert received.fields["apikey"] == TOKEN


# The capture date.

TAKEN = '\n[targets.club.fields]\ntaken = "{taken:%Y-%m-%dT%H:%M:%S%z}"'


def test_the_date_of_the_photo_has_its_own_offset(
    sink: FormServer, form: Callable[..., Target]
) -> None:
    from albumup.photos.metadata.reader import MetadataReader

    with MetadataReader() as reader:
        date = reader.read(os.fsencode(PHOTOS / "photo.jpg"), "image/jpeg").taken
    assert date is not None and date.tzinfo is not None
    received = arrived(sink, form('timezone = "Asia/Tokyo"' + TAKEN), PHOTOS / "photo.jpg")
    assert received.fields["taken"] == date.strftime("%Y-%m-%dT%H:%M:%S%z")
    assert not received.fields["taken"].endswith("+0900")


def test_a_date_without_offset_takes_the_time_zone_of_the_target(
    sink: FormServer, form: Callable[..., Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    path = PHOTOS / "no_offset.jpg"
    assert (
        arrived(sink, form('timezone = "Asia/Tokyo"' + TAKEN), path)
        .fields["taken"]
        .endswith("+0900")
    )
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    try:
        assert arrived(sink, form(TAKEN), path).fields["taken"].endswith("-0500")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_photo_without_date_is_an_error_or_takes_that_of_the_file(
    sink: FormServer, form: Callable[..., Target], photo: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(form(TAKEN), photo)
    assert "IMG 4101.JPG" in str(caught.value)
    assert "taken_fallback" in caught.value.hint
    fallback = form('taken_fallback = "mtime"\ntimezone = "Europe/Berlin"' + TAKEN)
    assert arrived(sink, fallback, photo).fields["taken"] == "2023-11-14T23:13:20+0100"


def test_only_a_form_that_names_the_date_wants_it(form: Callable[..., Target]) -> None:
    assert form(TAKEN).dates
    assert not form().dates


# The verdict.


@pytest.mark.parametrize(
    ("lines", "status", "said", "expected"),
    [
        ("", 200, b"{}", STORED),
        ("", 204, b"", STORED),
        ("", 299, b"fine", STORED),
        ("", 200, PAGE, UNPROVEN),
        ("", 302, b"", UNPROVEN),
        ("", 409, b"{}", UNPROVEN),
        ("", 500, b"{}", UNPROVEN),
        ("success = [201]", 201, b"{}", STORED),
        ("success = [201]", 200, b"{}", UNPROVEN),
        ("success = [201]", 201, PAGE, UNPROVEN),
        ("success = [200, 404]", 404, b"{}", STORED),
        ('success_text = "Dan.e"', 200, b"<p>Danke!", STORED),
        ('success_text = "Danke"', 200, PAGE, STORED),
        ('success_text = "Danke"', 200, b"<!doctype html>Bitte", UNPROVEN),
        ('success_text = "Danke"', 500, b"Danke", UNPROVEN),
        ('failure_text = "zu gr.*"', 200, "zu groß".encode(), REJECTED),
        ('failure_text = "zu gross"', 500, b"zu gross", REJECTED),
        ('failure_text = "zu gross"', 200, b"ok", STORED),
        ('failure_text = "gross"\nsuccess_text = "Danke"', 200, b"Danke, zu gross", REJECTED),
        ("duplicate = [409]", 409, b"{}", DUPLICATE),
        ("duplicate = [409, 208]", 208, b"{}", DUPLICATE),
        ("duplicate = [409]", 200, b"{}", STORED),
        ('id = "data.id"', 200, b'{"data": {"id": 7}}', STORED),
        ('id = "data.id"', 200, b'{"data": {"id": ""}}', UNPROVEN),
        ('id = "data.id"', 200, b'{"data": {"id": null}}', UNPROVEN),
        ('id = "data.id"', 200, b'{"data": {"id": {}}}', UNPROVEN),
        ('id = "data.id"', 200, b'{"data": {"id": true}}', UNPROVEN),
        ('id = "data.id"', 200, b"{}", UNPROVEN),
        ('id = "data.id"', 200, b"no JSON", UNPROVEN),
        ('id = "length(@)"', 200, b"7", UNPROVEN),
        # JSON that says no, and rules that say otherwise.
        ("", 200, b'{"success": false, "message": "Missing album"}', UNPROVEN),
        ("", 201, b'{"error": "No file in the field photo"}', UNPROVEN),
        ("", 200, b'{"files": [{"error": "Filetype not allowed"}]}', UNPROVEN),
        ("", 200, b'{"success": true, "error": null}', STORED),
        ("success = [200]", 200, b'{"status": "fail"}', UNPROVEN),
        ("", 200, b'Warning: x\n{"success": false}', UNPROVEN),
        ("", 200, b'{"Success": false}', UNPROVEN),
        ("", 200, b'<rsp stat="fail"/>', UNPROVEN),
        ('success_text = "Danke"', 200, b'{"error": "album was made", "message": "Danke"}', STORED),
        ('success_text = "Danke"', 200, b'{"error": "Bitte"}', UNPROVEN),
        ('id = "id"', 200, b'{"id": 7, "errors": ["no thumbnail"]}', STORED),
        ('id = "id"', 200, b'{"id": null, "error": "no"}', UNPROVEN),
        ("duplicate = [200]", 200, b'{"error": "exists"}', DUPLICATE),
        # Words about us, whatever the status.
        ('refused_text = "Kontingent"', 200, b"Kontingent voll", REFUSED),
        ('refused_text = "Kontingent"', 400, b'{"error": "Kontingent voll"}', REFUSED),
        ('refused_text = "Kontingent"', 500, b"<p>Kontingent voll", REFUSED),
        ('refused_text = "Kontingent"', 200, b"{}", STORED),
        ('refused_text = "key"\nfailure_text = "wrong"', 200, b"wrong key", REFUSED),
        ('refused_text = "key"\nsuccess_text = "wrong"', 200, b"wrong key", REFUSED),
        # The server's trouble is no photo's.
        *(
            ('failure_text = "no"', status, b"no", UNPROVEN)
            for status in (401, 403, 404, 429, 502, 503, 507, 525)
        ),
        *(('duplicate_text = "no"', status, b"no", UNPROVEN) for status in (401, 404, 503)),
        ('failure_text = "no"', 400, b"no", REJECTED),
        # There already.
        ('duplicate_text = "schon da"', 200, b'{"error": "schon da"}', DUPLICATE),
        ('duplicate_text = "schon da"', 400, b"ist schon da", DUPLICATE),
        (
            'duplicate_text = "schon da"\nfailure_text = "Fehler"',
            500,
            b"Fehler: schon da",
            DUPLICATE,
        ),
        (
            'duplicate_text = "schon da"\nfailure_text = "Fehler"',
            500,
            b"Fehler: zu gross",
            REJECTED,
        ),
        ('duplicate_text = "schon da"', 200, b"{}", STORED),
        # The proof.
        ('proof = "files[0].sz == {size}"', 200, b'{"files": [{"sz": 11}]}', STORED),
        ('proof = "files[0].sz == {size}"', 200, b'{"files": [{"sz": "11"}]}', STORED),
        ('proof = "files[0].sz == {size}"', 200, b'{"files": [{"sz": 12}]}', UNPROVEN),
        ('proof = "files[0].sz == {size}"', 200, b'{"files": []}', UNPROVEN),
        ('proof = "files[0].sz == {size}"', 200, b"fine", UNPROVEN),
        (
            'proof = "files[0].sz == {size}"',
            200,
            b'{"errors": ["no date"], "files": [{"sz": 11}]}',
            STORED,
        ),
        (
            'proof = "files[?ok==`true`].sz | [0] == {size}"',
            200,
            b'{"files": [{"ok": true, "sz": 11}]}',
            STORED,
        ),
        ('proof = "ok == true"', 200, b'{"ok": true}', STORED),
        ('proof = "ok == true"', 200, b'{"ok": 1}', UNPROVEN),
        ("proof = \"name == '{name}'\"", 200, b'{"name": "IMG 4101.JPG"}', STORED),
        ('proof = "name == {name}"', 200, b'{"name": "img_4101.jpg"}', UNPROVEN),
        *(
            (
                f'proof = "sum == {{{name}}}"',
                200,
                f'{{"sum": "{hashlib.new(name, DATA).hexdigest().upper()}"}}'.encode(),
                STORED,
            )
            for name in ("sha256", "sha1", "md5")
        ),
        ('proof = "sum == {sha1}"', 200, b'{"sum": ""}', UNPROVEN),
        ('proof = "sz == {size}"\nid = "id"', 200, b'{"sz": 11}', UNPROVEN),
        ('proof = "sz == {size}"\nduplicate = [409]', 409, b"{}", DUPLICATE),
        ('proof = "sz == {size}"\nsuccess_text = "sz"', 200, b'{"sz": 3}', UNPROVEN),
    ],
)
def test_rules(
    form: Callable[..., Target],
    photo: Path,
    lines: str,
    status: int,
    said: bytes,
    expected: VerdictKind,
) -> None:
    verdict = verdict_of(form(lines), photo, status, said)
    assert verdict.kind is expected
    assert verdict.rule


@pytest.mark.parametrize(
    ("lines", "location", "expected"),
    [
        ('success_location = "/gallery/"', "https://club.example/gallery/7", STORED),
        ('success_location = "/gallery/"', "https://club.example/login", UNPROVEN),
        ('success_location = "/gallery/"', "", UNPROVEN),
        ("", "https://club.example/gallery/7", UNPROVEN),
    ],
)
def test_a_redirect_is_judged_by_where_it_leads(
    form: Callable[..., Target], photo: Path, lines: str, location: str, expected: VerdictKind
) -> None:
    verdict = verdict_of(
        form(lines), photo, 303, b"", **({"location": location} if location else {})
    )
    assert verdict.kind is expected
    if expected is UNPROVEN and location:
        assert location in verdict.reason


def test_a_cut_answer_counts_only_where_its_words_were_found(
    form: Callable[..., Target], photo: Path
) -> None:
    cut = Answer(200, "OK", JSON, b"Danke, und", False)
    for lines, expected in (
        ("", UNPROVEN),
        ('success_text = "Danke"', STORED),
        ('success_text = "Ende"', UNPROVEN),
    ):
        target = form(lines)
        assert target.read_answer(cut, prepare(target, photo).photo).kind is expected


def test_a_refusal_in_words_names_them(form: Callable[..., Target], photo: Path) -> None:
    verdict = verdict_of(form('failure_text = "too \\\\w+"'), photo, 200, b"far too large")
    assert "too large" in verdict.reason
    assert verdict.rule == "failure_text"


@pytest.mark.parametrize("rule", ["failure_text", "refused_text"])
def test_words_that_refuse_come_with_all_that_is_said(
    form: Callable[..., Target], photo: Path, rule: str
) -> None:
    verdict = verdict_of(
        form(f'{rule} = "error"'), photo, 200, b'{"type": "error", "message": "Album is full"}'
    )
    assert all(part in verdict.reason for part in ("200", "error", "Album is full"))
    assert verdict.rule == rule


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, b'{"error": "Unexpected field photo"}'),
        (422, b'{"detail": [{"loc": ["body", "file"], "msg": "Unexpected field photo"}]}'),
        (500, b"<html><title>Unexpected field photo</title>"),
        (404, b"Unexpected field photo"),
        (200, b'{"success": false, "msg": "Unexpected field photo"}'),
    ],
)
def test_the_servers_own_words_are_in_the_reason(
    form: Callable[..., Target], photo: Path, status: int, said: bytes
) -> None:
    reason = verdict_of(form(), photo, status, said).reason
    assert reason.startswith(f"{status} Said")
    assert "Unexpected field photo" in reason


@pytest.mark.parametrize(
    ("message", "said", "words"),
    [
        ("error.text", b'{"error": {"text": "Too large", "message": "E17"}}', "Too large"),
        ("faults[*].text", b'{"faults": [{"text": "one"}, {"text": "two"}]}', "one; two"),
        ("error.text", b'{"message": "elsewhere"}', "elsewhere"),
        ("<b>(.*?)</b>", b"<title>Oh</title><b>Too large</b>", "Too large"),
        ('Fehler: ([^"]*)', b'{"x": "Fehler: zu gro\\u00df!"}', "zu groß!"),
        ("Fehler: (.*)", b'{"message": "elsewhere"}', "elsewhere"),
    ],
)
def test_message_says_where_the_words_are(
    form: Callable[..., Target], photo: Path, message: str, said: bytes, words: str
) -> None:
    target = form(f"message = '{message}'")
    assert verdict_of(target, photo, 400, said).reason.startswith(f"400 Said: {words}")


def test_the_words_are_masked_before_they_are_cut(form: Callable[..., Target], photo: Path) -> None:
    for pad in range(440, 500):
        said = f'{{"error": "{"x" * pad} {TOKEN} {"y" * 5000}"}}'.encode()
        reason = verdict_of(form('token_file = "token"'), photo, 400, said).reason
        assert len(reason) <= 500
        assert TOKEN[:6] not in reason


def test_an_answer_that_cannot_be_read_proves_nothing(
    form: Callable[..., Target], photo: Path
) -> None:
    opaque = Answer.of(200, "OK", {"content-encoding": "br"}, b"\x8b\x02\x80{}\x03", complete=True)
    for rules in (
        "",
        'success_text = "."',
        "duplicate = [200]",
        'duplicate_text = "."',
        'failure_text = "x"',
    ):
        target = form(rules)
        assert target.read_answer(opaque, prepare(target, photo).photo).kind is UNPROVEN


def test_the_proof_is_about_the_name_that_was_sent(
    form: Callable[..., Target], photo: Path
) -> None:
    target = form('proof = "name == {name}"\nfilename = "{sha256:.8}-{name}"')
    sent = prepare(target, photo)
    for said, expected in ((sent.task.sent_as, STORED), ("IMG 4101.JPG", UNPROVEN)):
        verdict = target.read_answer(
            Answer(200, "OK", JSON, f'{{"name": "{said}"}}'.encode(), True), sent.photo
        )
        assert verdict.kind is expected


def test_a_proof_wants_its_digests(form: Callable[..., Target], photo: Path) -> None:
    target = form('proof = "md5 == {md5}"')
    assert set(target.digests) == {"sha256", "md5"}
    bare = prepare(form(), photo).photo
    verdict = target.read_answer(Answer(200, "OK", JSON, b'{"md5": "x"}', True), bare)
    assert (verdict.kind, verdict.rule) == (UNPROVEN, "proof")
    assert "md5" in verdict.reason


def test_a_target_that_speaks_in_pages_says_so(form: Callable[..., Target], photo: Path) -> None:
    assert verdict_of(form('success_text = "Danke"'), photo, 200, PAGE).takes_pages
    assert verdict_of(form('failure_text = "Oh"'), photo, 200, PAGE).takes_pages
    assert not verdict_of(form(), photo, 200, PAGE).takes_pages


def test_the_photo_has_an_id_and_an_address(form: Callable[..., Target], photo: Path) -> None:
    said = b'{"data": {"id": 7, "url": "https://club.example/p/7"}}'
    by_answer = verdict_of(form('id = "data.id"\npage = "data.url"'), photo, 200, said)
    assert (by_answer.remote_id, by_answer.url) == ("7", "https://club.example/p/7")
    by_template = verdict_of(form('page = "https://club.example/{album}/{name}"'), photo, 200, said)
    assert by_template.url == "https://club.example/trip/IMG%204101.JPG"
    doubled = verdict_of(form('duplicate = [409]\nid = "data.id"'), photo, 409, said)
    assert (doubled.kind, doubled.remote_id) == (DUPLICATE, "7")


def test_what_a_server_calls_a_photo_is_one_short_line(
    form: Callable[..., Target], photo: Path
) -> None:
    verdict = verdict_of(form('id = "id"'), photo, 200, b'{"id": "a\\nb' + b"x" * 5000 + b'"}')
    assert verdict.remote_id.startswith("a b")
    assert len(verdict.remote_id) <= 300


# Where it is put.


FIELD = "[targets.club.fields]\n"


@pytest.mark.parametrize(
    ("url", "lines", "shares"),
    [
        ("http://x", "", True),
        ("http://x/{path}", "", True),
        ("http://x/{album}", "", False),
        ("http://x?into={album}", "", False),
        ("http://x", FIELD + 'into = "{album}"', False),
        ("http://x", FIELD + 'title = "{name}"', True),
        ("http://x", FIELD + 'author = "anna"', True),
        ("http://x", 'filename = "{album}-{name}"', True),
    ],
)
def test_albums_share_a_folder_unless_address_or_fields_name_them(
    form: Callable[..., Target], url: str, lines: str, shares: bool
) -> None:
    target = form(lines, url=url)
    assert target.shares_folder("trip") is shares
    assert (target.puts_into("trip") == target.puts_into("wedding")) is shares


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("", FIELD + 'author = "anna"', True),
        ("", 'file_field = "photo"\nfilename = "{index}-{name}"', True),
        (FIELD + 'album_id = "7"', FIELD + 'album_id = "7"\nauthor = "anna"', True),
        (FIELD + 'album_id = "7"', FIELD + 'album_id = "8"', False),
        (FIELD + 'a = "Trip"', FIELD + 'a = "wedding"', False),
        (FIELD + 'dir = "{where}"\n[targets.club.vars]\nwhere = "a"', FIELD + 'dir = "b"', False),
    ],
)
def test_a_folder_is_told_by_the_address_and_the_fields_that_place(
    form: Callable[..., Target], one: str, other: str, are_same: bool
) -> None:
    assert (
        form(one, url="http://x").puts_into("trip") == form(other, url="http://x").puts_into("trip")
    ) is are_same


# The album's address, and the check.


def test_share(form: Callable[..., Target]) -> None:
    assert form().share("trip") == ""
    assert (
        form('share = "https://club.example/a/{album}"').share("a b/c")
        == "https://club.example/a/a%20b%2Fc"
    )


def test_check_asks_the_address_it_is_given_with_the_token(form: Callable[..., Target]) -> None:
    heads: list[object] = []

    def note(line: Line) -> None:
        heads.append(line.head)

    with Server([head, body, note, answer(200, {})]) as server:
        target = form(
            f'token_file = "token"\ncheck = "{server.url}/api/{{me}}"\n'
            f'filename = "{{sha256:.8}}-{{name}}"\n'
            '[targets.club.vars]\nme = "an/na"',
            url=server.url,
        )
        assert [(line.name, line.ok) for line in target.check()] == [
            ("check", True),
            ("upload", None),
        ]
    (found,) = heads
    assert (found.method, found.target) == ("GET", "/api/an%2Fna")  # type: ignore[attr-defined]
    assert found.headers["authorization"] == f"Bearer {TOKEN}"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer(200), "200"),
        (answer(405), "405"),
        (
            answer(301, b"", [("Location", "https://elsewhere.test/up")]),
            "https://elsewhere.test/up",
        ),
    ],
)
def test_without_a_check_it_connects_and_proves_nothing(
    form: Callable[..., Target], said: Step, words: str
) -> None:
    heads: list[object] = []
    with Server([head, body, lambda line: heads.append(line.head), said]) as server:
        lines = form(url=server.url + "/{album}").check()
    assert [(line.name, line.ok) for line in lines] == [
        ("address", None),
        ("upload", None),
        ("names", None),
    ]
    assert words in lines[0].words
    assert "targets.club.check" in lines[1].words
    assert [found.method for found in heads] == ["OPTIONS"]  # type: ignore[attr-defined]


def test_a_check_of_a_server_that_is_away_is_for_later(form: Callable[..., Target]) -> None:
    with Server([head, body, answer(502)]) as server:
        url = server.url
        (line,) = form(url=url).check()
        assert (line.ok, line.is_down) == (False, True)
    (line,) = form(url=url).check()
    assert (line.ok, line.is_down) == (False, True)


@pytest.mark.parametrize(
    ("filename", "survives"),
    [
        ("{name}", False),
        ("{stem}{suffix}", False),
        ("{path}", False),
        ("{album}-{name}", False),
        ("{sha256:.8}-{name}", True),
        ("{md5}{suffix}", True),
        ("{index:04}-{name}", True),
    ],
)
def test_check_says_how_to_send_a_name_that_survives(
    sink: FormServer, form: Callable[..., Target], filename: str, survives: bool
) -> None:
    found = [
        line
        for line in form(f'filename = "{filename}"', url=sink.origin).check()
        if line.name == "names"
    ]
    assert bool(found) is not survives
    assert all("{sha256:.8}-{name}" in line.words for line in found)
