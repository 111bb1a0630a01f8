"""What every kind of target owes (albumup/targets/base.py): one suite, run against a real server of
each kind."""

from __future__ import annotations

import hashlib
import os
import socket
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures import JSON, KINDS, TOKEN, ImmichKind, Kind, asked_about, prepare
from msgspec.structs import replace
from servers import Server, answer, body, head, page

from albumup.errors import ConfigError
from albumup.targets.base import AlbumGone, Asked, Original, ServerAlbum, Unasked, VerdictKind
from albumup.transfer import Answer
from albumup.uploader.alone import send_alone

WELL = (VerdictKind.STORED, VerdictKind.DUPLICATE)


def _started(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    folder = tmp_path / "kind"
    folder.mkdir()
    kind = request.param(folder)
    yield kind
    kind.close()


def _name(kind: type[Kind]) -> str:
    return kind.name


kind = pytest.fixture(_started, params=KINDS, ids=_name, name="kind")
asking = pytest.fixture(
    _started, params=[kind for kind in KINDS if kind.can_ask], ids=_name, name="asking"
)


def picture(
    folder: Path, name: str | bytes = "IMG_1.JPG", data: bytes = b"\xff\xd8\xff a photo"
) -> bytes:
    path = os.path.join(os.fsencode(folder), os.fsencode(name))
    with open(path, "wb") as file:
        file.write(data)
    return path


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# check.


def test_check_is_content_with_the_right_address_and_token(kind: Kind) -> None:
    found = kind.target().check()
    assert [line for line in found if line.ok is False] == []
    assert any(line.ok for line in found)


def test_check_sees_a_wrong_token(kind: Kind) -> None:
    found = kind.target(token="not-the-one").check()
    assert any(not line.ok and "401" in line.words for line in found)
    assert "not-the-one" not in str(found)


def test_check_sees_that_nobody_is_there(kind: Kind) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    found = kind.target(url=f"http://127.0.0.1:{port}").check()
    assert any(not line.ok and "refused" in line.words for line in found)


@pytest.mark.parametrize(
    "said", [page(), answer(404, {}), answer(302, b"", [("Location", "/login")]), answer(500)]
)
def test_check_sees_another_server(kind: Kind, said: object) -> None:
    with Server([head, body, said]) as other:  # type: ignore[list-item]
        assert not all(line.ok for line in kind.target(url=other.url).check())


def test_check_stores_nothing(kind: Kind) -> None:
    kind.target().check()
    assert kind.photos("trip") == set()


# The way of a photo.


@pytest.mark.parametrize("size", [1, 65_536, 1_048_577], ids=["a byte", "64 KiB", "over 1 MiB"])
def test_the_server_gets_the_very_bytes(kind: Kind, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    target = kind.target()
    prepared = prepare(target, picture(tmp_path, data=data))
    sent = send_alone(target, prepared)
    assert sent.answer is not None
    assert target.read_answer(sent.answer, prepared.photo).kind is VerdictKind.STORED
    assert kind.photos("trip") == {("IMG_1.JPG", sha256(data))}


@pytest.mark.parametrize(
    "name",
    [
        'a "quoted" name.jpg', "back\\slash.jpg", "Zürich – 東京 📷.jpg", "per%41cent.jpg",
        "50%.jpg", "no-suffix", "a;b=c.jpg", "line\nbreak\r.jpg", "-rf.jpg",
        "e\u0301 decomposed.jpg", "x" * 240 + ".jpeg", b"undecodable-\xff\xfe.jpg",
    ],
)  # fmt: skip
def test_a_name_arrives_as_it_was_sent(kind: Kind, tmp_path: Path, name: str | bytes) -> None:
    target = kind.target()
    prepared = prepare(target, picture(tmp_path, name))
    sent = send_alone(target, prepared)
    assert sent.answer is not None
    assert target.read_answer(sent.answer, prepared.photo).kind is VerdictKind.STORED
    sent_as = prepared.task.sent_as or ""
    assert kind.photos("trip") == {(kind.stored_as(prepared), prepared.body.digests["sha256"])}
    assert unicodedata.is_normalized("NFC", sent_as)


@pytest.mark.parametrize(
    "album",
    [
        "a/b", "50%", "per%2Fcent", "Zürich 東京", "a?b#c", "a b+c&d", "../up", "..x",
        "'\"", "\udcff raw",
    ],
)  # fmt: skip
def test_an_album_is_one_album_whatever_it_is_called(
    kind: Kind, tmp_path: Path, album: str
) -> None:
    target = kind.target()
    prepared = prepare(target, picture(tmp_path), album=album)
    sent = send_alone(target, prepared)
    assert sent.answer is not None
    assert target.read_answer(sent.answer, prepared.photo).kind is VerdictKind.STORED
    assert kind.photos(album) == {("IMG_1.JPG", prepared.body.digests["sha256"])}


def test_a_second_sending_is_a_duplicate(kind: Kind, tmp_path: Path) -> None:
    target = kind.target()
    prepared = prepare(target, picture(tmp_path))
    answers = [send_alone(target, prepared).answer for _ in range(2)]
    verdicts = [target.read_answer(answer, prepared.photo).kind for answer in answers if answer]
    assert verdicts == [VerdictKind.STORED, VerdictKind.DUPLICATE]


def test_a_wrong_token_stores_nothing(kind: Kind, tmp_path: Path) -> None:
    target = kind.target(token="not-the-one")
    prepared = prepare(target, picture(tmp_path))
    sent = send_alone(target, prepared)
    assert sent.answer is not None
    assert sent.answer.status == 401
    assert target.read_answer(sent.answer, prepared.photo).kind in (
        VerdictKind.UNPROVEN,
        VerdictKind.REFUSED,
    )
    assert kind.photos("trip") == set()


def test_the_digests_it_declares_are_those_of_the_bytes(kind: Kind, tmp_path: Path) -> None:
    data = b"\xff\xd8\xff some photo"
    target = kind.target()
    prepared = prepare(target, picture(tmp_path, data=data))
    assert "sha256" in target.digests
    assert set(prepared.body.digests) == set(target.digests)
    assert prepared.body.digests == {
        name: hashlib.new(name, data).hexdigest() for name in target.digests
    }
    said = prepared.head + str(target.request(prepared.photo).headers).encode()
    for name, digest in prepared.body.digests.items():
        assert (digest.encode() in said) == (name not in kind.undeclared)


def test_no_secret_is_in_what_is_journaled(kind: Kind, tmp_path: Path) -> None:
    body = prepare(kind.target(), picture(tmp_path)).body
    assert TOKEN not in repr(body)
    assert TOKEN in str(
        kind.target().request(prepare(kind.target(), picture(tmp_path)).photo).headers
    )


# Reading answers: success is only what the server itself says.


def test_its_own_word_is_success(kind: Kind, tmp_path: Path) -> None:
    target = kind.target()
    photo = prepare(target, picture(tmp_path)).photo
    assert target.read_answer(kind.stored(photo), photo).kind is VerdictKind.STORED


@pytest.mark.parametrize("status", [200, 201])
def test_a_portals_page_is_no_success(kind: Kind, tmp_path: Path, status: int) -> None:
    target = kind.target()
    photo = prepare(target, picture(tmp_path)).photo
    for mime in ("text/html", "application/json"):
        said = Answer(
            status, "OK", {"content-type": mime}, b"<!DOCTYPE html><p>Welcome to our Wi-Fi", True
        )
        assert target.read_answer(said, photo).kind is VerdictKind.UNPROVEN


def test_a_cut_answer_is_no_success(kind: Kind, tmp_path: Path) -> None:
    target = kind.target()
    photo = prepare(target, picture(tmp_path)).photo
    said = kind.stored(photo)
    for cut in range(len(said.body)):
        assert (
            target.read_answer(replace(said, body=said.body[:cut], complete=False), photo).kind
            not in WELL
        )
    assert target.read_answer(replace(said, complete=False), photo).kind not in WELL


def test_another_programs_answer_is_no_success(kind: Kind, tmp_path: Path) -> None:
    target = kind.target()
    photo = prepare(target, picture(tmp_path)).photo
    assert target.read_answer(kind.unrelated(), photo).kind not in WELL


@pytest.mark.parametrize(
    "said", [b"", b"null", b"[]", b"[1]", b'"ok"', b"7", b"{", b"\xff\xfe", b"[" * 100_000]
)
def test_nonsense_is_no_success_and_no_crash(kind: Kind, tmp_path: Path, said: bytes) -> None:
    target = kind.target()
    photo = prepare(target, picture(tmp_path)).photo
    assert target.read_answer(Answer(200, "OK", JSON, said, True), photo).kind not in WELL


@pytest.mark.parametrize(
    "status", [100, 204, 301, 302, 307, 400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 507]
)
def test_a_success_in_words_needs_the_status(kind: Kind, tmp_path: Path, status: int) -> None:
    target = kind.target()
    photo = prepare(target, picture(tmp_path)).photo
    headers = {**JSON, "location": "/login"}
    said = replace(kind.stored(photo), status=status, headers=headers)
    if status == 204:
        said = replace(said, body=b"")
    assert target.read_answer(said, photo).kind not in WELL


@pytest.mark.parametrize(
    ("mime", "said"),
    [
        ("text/html", "<html><title>Backend is {token} down</title>"),
        ("text/plain", "Backend is {token} down"),
        ("application/json", '{{"error": "Backend is {token} down"}}'),
    ],
)
@pytest.mark.parametrize("status", [400, 404, 422, 500, 502])
def test_the_words_of_a_refusal_or_doubt_are_kept_and_masked(
    kind: Kind, tmp_path: Path, mime: str, said: str, status: int
) -> None:
    """Whoever says them: a proxy speaks in pages."""
    target = kind.target()
    photo = prepare(target, picture(tmp_path)).photo
    words = said.format(token=TOKEN).encode()
    reason = target.read_answer(
        Answer(status, "Reason", {"content-type": mime}, words, True), photo
    ).reason
    assert "Backend is ******** down" in reason
    assert str(status) in reason


def test_a_redirect_is_not_followed(kind: Kind, tmp_path: Path) -> None:
    with Server([head, body, answer(201)]) as elsewhere:
        moved = answer(307, b"", [("Location", elsewhere.url + "/albums/trip/photos")])
        with Server([head, body, moved]) as server:
            target = kind.target(url=server.url)
            prepared = prepare(target, picture(tmp_path))
            sent = send_alone(target, prepared)
            target.check()
        assert sent.answer is not None
        assert target.read_answer(sent.answer, prepared.photo).kind is VerdictKind.UNPROVEN
        assert elsewhere.connections == 0


# Asking.


def test_it_says_whether_it_can_be_asked(kind: Kind) -> None:
    assert kind.target().can_ask == kind.can_ask


def test_asking_tells_yes_from_no(asking: Kind, tmp_path: Path) -> None:
    target = asking.target()
    there = prepare(target, picture(tmp_path))
    absent = prepare(target, picture(tmp_path, "IMG_2.JPG", b"\xff\xd8\xff another"))
    send_alone(target, there)
    answers = target.ask(
        target.http(), "trip", [asked_about(absent), asked_about(there), asked_about(absent)]
    )
    assert [verdict and verdict.kind for verdict in answers] == [None, VerdictKind.STORED, None]


def test_what_it_has_can_be_seen_and_what_is_read_back_is_ours(
    asking: Kind, tmp_path: Path
) -> None:
    target = asking.target()
    prepared = prepare(target, picture(tmp_path, data=b"\xff\xd8\xff" + bytes(3_000_000)))
    send_alone(target, prepared)
    http = target.http()
    (found,) = target.ask(http, "trip", [asked_about(prepared)])
    assert found is not None
    assert target.see(http, "trip", asked_about(prepared), found).original is Original.READABLE
    assert target.read_back(http, "trip", asked_about(prepared), found) in (
        "",
        prepared.body.digests["sha256"],
    )


def test_asking_is_about_one_album(asking: Kind, tmp_path: Path) -> None:
    target = asking.target()
    there = prepare(target, picture(tmp_path), album="50%/Zürich")
    send_alone(target, there)
    asked = [
        target.ask(target.http(), album, [asked_about(there)])
        for album in ("50%/Zürich", "Zürich", "never")
    ]
    elsewhere = not asking.asks_by_album
    assert [[verdict is not None for verdict in answers] for answers in asked] == [
        [True],
        [elsewhere],
        [elsewhere],
    ]


def test_asking_about_nothing_and_about_very_many(asking: Kind, tmp_path: Path) -> None:
    target = asking.target()
    there = prepare(target, picture(tmp_path))
    send_alone(target, there)
    many = [
        Asked(
            "a.jpg",
            {name: hashlib.new(name, str(number).encode()).hexdigest() for name in target.digests},
        )
        for number in range(12_345)
    ]
    many[7_000] = asked_about(there)
    assert target.ask(target.http(), "trip", []) == []
    answers = target.ask(target.http(), "trip", many)
    assert [number for number, verdict in enumerate(answers) if verdict] == [7_000]
    assert len(answers) == len(many)


@pytest.mark.parametrize(
    "said",
    [
        page(),
        answer(200, {"status": "ok"}),
        answer(200, b"{"),
        answer(401),
        answer(404),
        answer(503),
        answer(302),
    ],
    ids=["portal", "another program", "cut", "401", "404", "503", "redirect"],
)
def test_no_proper_answer_is_no_no(asking: Kind, tmp_path: Path, said: object) -> None:
    with Server([head, body, said]) as other:  # type: ignore[list-item]
        target = asking.target(url=other.url)
        photo = prepare(target, picture(tmp_path))
        with pytest.raises((Unasked, ConfigError)):
            target.ask(target.http(), "trip", [asked_about(photo)])


def test_asking_with_a_wrong_token_is_no_no(asking: Kind, tmp_path: Path) -> None:
    target = asking.target(token="not-the-one")
    with pytest.raises((Unasked, ConfigError)):
        target.ask(target.http(), "trip", [asked_about(prepare(target, picture(tmp_path)))])


# Albums, where they are things of their own.


keeping = pytest.fixture(
    _started, params=[kind for kind in KINDS if kind.keeps_albums], ids=_name, name="keeping"
)
NAMES = ["trip", "a/b", "50%", "Zürich 東京", "a?b#c", "a b+c&d", "'\"", "\udcff raw", "x" * 300]


@pytest.mark.parametrize("name", NAMES)
def test_an_album_is_found_again_by_its_name_and_by_its_id(keeping: Kind, name: str) -> None:
    target = keeping.target()
    http = target.http()
    assert target.find_album(http, name, None) is None
    made = target.make_album(http, name)
    target.make_album(http, name + " 2")
    assert target.find_album(http, name, None) == made
    assert target.find_album(http, "called otherwise now", made.id) == made
    assert target.find_album(http, "no such", "00000000-0000-4000-8000-000000000000") is None


def test_two_albums_of_a_name_are_named_unless_one_is_known(keeping: Kind) -> None:
    target = keeping.target()
    http = target.http()
    one, two = target.make_album(http, "trip"), target.make_album(http, "trip")
    with pytest.raises(ConfigError) as refused:
        target.find_album(http, "trip", None)
    assert one.url in str(refused.value)
    assert two.url in str(refused.value)
    assert target.find_album(http, "trip", two.id) == two


def test_photos_are_put_into_an_album_once_or_twice_with_one_word_each(
    keeping: Kind, tmp_path: Path
) -> None:
    target = keeping.target()
    http = target.http()
    photo = prepare(target, picture(tmp_path))
    answer = send_alone(target, photo).answer
    assert answer is not None
    remote_id = target.read_answer(answer, photo.photo).remote_id
    album = target.make_album(http, "trip")
    assert target.place(http, album, [remote_id]) == [""]
    again = target.place(http, album, [remote_id, "00000000-0000-4000-8000-000000000000"])
    assert again[0] == ""
    assert again[1] != ""


def test_an_album_that_was_deleted_is_gone(keeping: Kind) -> None:
    target = keeping.target()
    with pytest.raises(AlbumGone):
        target.place(target.http(), ServerAlbum("00000000-0000-4000-8000-000000000000", ""), ["x"])


def test_a_share_link_is_made_once(keeping: Kind) -> None:
    target = keeping.target()
    http = target.http()
    album = target.make_album(http, "trip")
    link = target.share_link(http, album).url
    assert link.startswith("http")
    assert target.share_link(http, album).url == link
    with pytest.raises(AlbumGone):
        target.share_link(http, ServerAlbum("00000000-0000-4000-8000-000000000000", ""))


def test_immich_reads_back_what_it_has(tmp_path: Path) -> None:
    """In blocks, however large it is; and not at all with a key that may not."""
    kind = ImmichKind(tmp_path)
    try:
        target = kind.target()
        prepared = prepare(target, picture(tmp_path, data=b"\xff\xd8\xff" + bytes(3_000_000)))
        send_alone(target, prepared)
        (found,) = target.ask(target.http(), "trip", [asked_about(prepared)])
        assert found is not None
        assert (
            target.read_back(target.http(), "trip", asked_about(prepared), found)
            == prepared.body.digests["sha256"]
        )
        kind.server.tell("set_key", key=TOKEN, permissions=["asset.upload"])
        assert target.read_back(target.http(), "trip", asked_about(prepared), found) == ""
        assert (
            "asset.download"
            in target.see(target.http(), "trip", asked_about(prepared), found).words
        )
    finally:
        kind.close()
