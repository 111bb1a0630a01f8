"""``kind = "inbox"``: albumup's own receiver, elsewhere or built in."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures import JSON, TOKEN, asked_about, configured, prepare
from msgspec.structs import replace

from albumup.errors import ConfigError
from albumup.receive import Store
from albumup.targets.base import Asked, NotAllowed, Original, Seen, Unasked, Verdict, VerdictKind
from albumup.targets.inbox import BuiltInInbox
from albumup.transfer import Answer, Sent
from albumup.uploader.alone import send_alone


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[BuiltInInbox]:
    inbox = BuiltInInbox("inbox", str(tmp_path / "data" / "inbox"))
    yield inbox
    inbox.close()


def picture(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


# The built-in one.


def test_a_photo_ends_in_the_album_s_folder(inbox: BuiltInInbox, tmp_path: Path) -> None:
    prepared = prepare(inbox, picture(tmp_path, "a.jpg", b"\xff\xd8\xff"), album="trip")
    sent = send_alone(inbox, prepared)
    assert sent.answer is not None
    verdict = inbox.read_answer(sent.answer, prepared.photo)
    assert (verdict.kind, sent.answer.status) == (VerdictKind.STORED, 201)
    stored = Path(inbox.folder) / "trip" / "a.jpg"
    assert stored.read_bytes() == b"\xff\xd8\xff"
    assert verdict.remote_id.endswith("a.jpg")


def test_no_value_is_computed_that_its_form_has_no_use_for(
    inbox: BuiltInInbox, tmp_path: Path
) -> None:
    prepared = prepare(inbox, picture(tmp_path, "a.jpg", b"\xff\xd8\xff"))
    assert not {"modified", "taken"} & prepared.photo.values.keys()


def test_other_bytes_under_the_same_name_are_kept_beside(
    inbox: BuiltInInbox, tmp_path: Path
) -> None:
    for data in (b"\xff\xd8\xff one", b"\xff\xd8\xff two"):
        send_alone(inbox, prepare(inbox, picture(tmp_path, "a.jpg", data)))
    stored = {path.read_bytes() for path in (Path(inbox.folder) / "trip").glob("a*.jpg")}
    assert stored == {b"\xff\xd8\xff one", b"\xff\xd8\xff two"}


def test_the_folder_is_ours_alone(inbox: BuiltInInbox) -> None:
    assert stat.S_IMODE(os.stat(inbox.folder).st_mode) == 0o700


def test_it_is_this_computer_and_says_so(inbox: BuiltInInbox) -> None:
    assert inbox.is_local
    assert inbox.address == inbox.folder
    assert inbox.share("trip") == ""
    (line,) = inbox.check()
    assert line.ok
    assert inbox.folder in line.words


def test_each_run_has_a_secret_and_a_port_of_its_own(inbox: BuiltInInbox, tmp_path: Path) -> None:
    other = BuiltInInbox("inbox", str(tmp_path / "other"))
    try:
        assert inbox.token != other.token
        assert inbox.settings.url != other.settings.url
        assert inbox.settings.url.startswith("http://127.0.0.1:")
        stranger = configured(
            tmp_path / "config",
            f'kind = "inbox"\nurl = "{inbox.settings.url}"\ntoken_file = "token"',
        )
        sent = send_alone(stranger, prepare(stranger, picture(tmp_path, "a.jpg", b"\xff\xd8\xff")))
        assert sent.answer is not None
        assert sent.answer.status == 401
    finally:
        other.close()


def test_closing_it_ends_the_receiver(tmp_path: Path) -> None:
    inbox = BuiltInInbox("inbox", str(tmp_path / "inbox"))
    prepared = prepare(inbox, picture(tmp_path, "a.jpg", b"\xff\xd8\xff"))
    inbox.close()
    assert send_alone(inbox, prepared).answer is None


# Its answers.


@pytest.fixture
def said(
    inbox: BuiltInInbox, tmp_path: Path
) -> Iterator[tuple[BuiltInInbox, dict[str, str], object]]:
    prepared = prepare(inbox, picture(tmp_path, "a.jpg", b"\xff\xd8\xff"))
    yield (
        inbox,
        {"id": "7", "sha256": prepared.body.digests["sha256"], "status": "created"},
        prepared.photo,
    )


@pytest.mark.parametrize(
    ("status", "changed", "expected"),
    [
        (201, {}, VerdictKind.STORED),
        (200, {"status": "duplicate"}, VerdictKind.DUPLICATE),
        (201, {"sha256": "0" * 64}, VerdictKind.UNPROVEN),
        (201, {"sha256": None}, VerdictKind.UNPROVEN),
        (201, {"status": "ok"}, VerdictKind.UNPROVEN),
        (201, {"status": None}, VerdictKind.UNPROVEN),
        (201, {"status": ["created"]}, VerdictKind.UNPROVEN),
        (202, {}, VerdictKind.UNPROVEN),
        (500, {}, VerdictKind.UNPROVEN),
    ],
)
def test_only_the_digest_of_these_bytes_is_proof(
    said: tuple[BuiltInInbox, dict[str, object], object],
    status: int,
    changed: dict[str, object],
    expected: VerdictKind,
) -> None:
    inbox, words, photo = said
    answer = Answer(status, "Said", JSON, json.dumps(words | changed).encode(), True)
    assert inbox.read_answer(answer, photo).kind is expected  # type: ignore[arg-type]
    assert inbox.read_answer(replace(answer, complete=False), photo).kind is VerdictKind.UNPROVEN  # type: ignore[arg-type]


def test_its_refusal_is_told_in_its_words(
    said: tuple[BuiltInInbox, dict[str, str], object],
) -> None:
    inbox, _, photo = said
    answer = Answer(422, "Unprocessable", JSON, b'{"error": "sha256\\nmismatch"}', True)
    verdict = inbox.read_answer(answer, photo)  # type: ignore[arg-type]
    assert verdict.kind is VerdictKind.UNPROVEN
    assert verdict.reason == "422 Unprocessable: sha256 mismatch"


# Elsewhere.


def test_a_slash_at_the_end_of_the_address_changes_nothing(tmp_path: Path) -> None:
    urls = []
    for end in ("", "/"):
        target = configured(
            tmp_path / "config",
            f'kind = "inbox"\nurl = "http://nas:8080{end}"\ntoken_file = "token"',
        )
        urls.append(
            target.request(prepare(target, picture(tmp_path, "a.jpg", b"\xff\xd8\xff")).photo).url
        )
    assert urls == ["http://nas:8080/albums/trip/photos"] * 2


def test_the_token_is_in_a_header_and_nowhere_else(tmp_path: Path) -> None:
    target = configured(
        tmp_path / "config", 'kind = "inbox"\nurl = "http://nas:8080"\ntoken_file = "token"'
    )
    prepared = prepare(target, picture(tmp_path, "a.jpg", b"\xff\xd8\xff"))
    request = target.request(prepared.photo)
    assert list(request.headers) == [("Authorization", f"Bearer {TOKEN}")]
    assert TOKEN not in request.url + repr(prepared.body)


# Proofs.


STORED = Verdict(VerdictKind.STORED, "ask")


def test_a_yes_is_seen_by_the_receiver_reading_it_again(
    inbox: BuiltInInbox, tmp_path: Path
) -> None:
    prepared = prepare(inbox, picture(tmp_path, "a.jpg", b"\xff\xd8\xff"))
    http = inbox.http()
    send_alone(inbox, prepared)
    assert inbox.see(http, "trip", asked_about(prepared), STORED) == Seen(Original.READABLE)
    assert (
        inbox.read_back(http, "trip", asked_about(prepared), STORED)
        == prepared.body.digests["sha256"]
    )
    stored = Path(inbox.folder) / "trip" / "a.jpg"
    stored.write_bytes(b"\xff\xd8\xfe")
    seen = inbox.see(http, "trip", asked_about(prepared), STORED)
    assert (seen.original, "damaged" in seen.words) == (Original.BROKEN, True)
    assert inbox.read_back(http, "trip", asked_about(prepared), STORED) == ""


def test_an_older_receiver_cannot_show_it_and_one_that_is_down_is_not_asked(tmp_path: Path) -> None:
    digest = "0" * 64

    class Older:
        answer: Answer | None = Answer(
            200, "OK", JSON, json.dumps({"have": {digest: "a.jpg"}}).encode(), True
        )

        def call(self, *_: object, **__: object) -> Sent:
            return Sent(self.answer, None, "down", whole=True, bytes=0)

    target = configured(
        tmp_path / "config", 'kind = "inbox"\nurl = "http://nas:8080"\ntoken_file = "token"'
    )
    photo, http = Asked("a.jpg", {"sha256": digest}), Older()
    seen = target.see(http, "trip", photo, STORED)  # type: ignore[arg-type]
    assert (seen.original, "too old" in seen.words) == (Original.UNKNOWN, True)
    assert target.read_back(http, "trip", photo, STORED) == ""  # type: ignore[arg-type]
    http.answer = None
    with pytest.raises(Unasked, match="down"):
        target.see(http, "trip", photo, STORED)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "raised"), [(401, ConfigError), (403, NotAllowed), (404, Unasked), (503, Unasked)]
)
def test_what_refuses_a_question_is_told_apart(
    tmp_path: Path, status: int, raised: type[Exception]
) -> None:
    class Refusing:
        def call(self, *_: object, **__: object) -> Sent:
            return Sent(Answer(status, "No", JSON, b"{}", True), None, "", whole=True, bytes=0)

    target = configured(
        tmp_path / "config", 'kind = "inbox"\nurl = "http://nas:8080"\ntoken_file = "token"'
    )
    photo = Asked("a.jpg", {"sha256": "0" * 64})
    with pytest.raises(raised, match="No") as error:
        target.ask(Refusing(), "trip", [photo])  # type: ignore[arg-type]
    assert error.type is raised
    if raised is NotAllowed:
        assert target.see(Refusing(), "trip", photo, STORED).original is Original.UNKNOWN  # type: ignore[arg-type]


def test_it_knows_where_it_keeps_what_it_is_sent(inbox: BuiltInInbox, tmp_path: Path) -> None:
    http = inbox.http()
    assert inbox.keeps_in(http, os.fsencode(inbox.folder))
    assert not inbox.keeps_in(http, Store(str(tmp_path / "other")).root)
    (tmp_path / "older" / ".albumup").mkdir(parents=True)
    assert inbox.keeps_in(http, os.fsencode(tmp_path / "older")), "nothing tells it from another"


def test_many_are_asked_about_at_once(inbox: BuiltInInbox) -> None:
    """An answer may name every one of them, by the longest of names."""
    folder = Path(inbox.folder) / "trip"
    folder.mkdir()
    contents = [b"%d" % number for number in range(600)]
    for number, content in enumerate(contents):
        (folder / f"{number}{'n' * 240}.jpg").write_bytes(content)
    photos = [
        Asked("a.jpg", {"sha256": hashlib.sha256(content).hexdigest()}) for content in contents
    ]
    found = inbox.ask(inbox.http(), "trip", photos)
    assert [verdict.kind for verdict in found if verdict] == [VerdictKind.STORED] * 600
