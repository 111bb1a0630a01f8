"""A target with several addresses: which of them is used, and who is shown the token."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from fixtures import configured
from immich.fake import KEY, Immich
from receiving import TOKEN, receiving
from stranger import Stranger

from albumup.config.settings import ImmichSettings, InboxSettings, warnings
from albumup.errors import ConfigError
from albumup.receive import Store
from albumup.receive.handler import RECEIVER
from albumup.targets.addresses import Found, Who, find
from albumup.targets.base import Asked, Target, Unasked
from albumup.targets.immich import ImmichTarget
from albumup.targets.inbox import InboxTarget
from albumup.targets.registry import is_the_same_but_for_addresses

HOME, AWAY, LAN = "http://192.168.1.5:2283", "https://photos.example.org", "http://nas.lan"
DOWN = Who("no connection within 3 s", is_reached=False)
OTHER_KIND = Who("200 OK with an HTML page, and is no Immich server", is_wrong=True)


def who(server: str) -> Who:
    return Who(server=server)


@pytest.mark.parametrize(
    ("known", "there", "used", "notes"),
    [
        # Nothing is known yet.
        ("", {HOME: who("a"), AWAY: who("a")}, HOME, 0),
        ("", {HOME: DOWN, AWAY: who("a")}, AWAY, 0),
        ("", {HOME: DOWN, AWAY: who("")}, "", 1),
        ("", {HOME: who(""), AWAY: who("a")}, HOME, 0),
        ("", {AWAY: DOWN, HOME: who("a")}, "", 1),
        ("", {HOME: OTHER_KIND, AWAY: who("a")}, AWAY, 0),
        ("", {HOME: DOWN, AWAY: DOWN}, "", 0),
        # The server is known.
        ("a", {HOME: who("a"), AWAY: who("a")}, HOME, 0),
        ("a", {HOME: who("b"), AWAY: who("a")}, AWAY, 1),
        ("a", {HOME: who("b"), AWAY: DOWN}, "", 1),
        ("a", {HOME: who(""), AWAY: who("a")}, AWAY, 1),
        ("a", {AWAY: who("b"), LAN: who(""), HOME: who("a")}, HOME, 2),
        ("a", {AWAY: DOWN, HOME: who("a")}, HOME, 0),
        ("a", {AWAY: who("b"), HOME: who("c")}, "", 2),
    ],
)
def test_the_first_that_is_the_same_server_is_used(
    known: str, there: dict[str, Who], used: str, notes: int
) -> None:
    found = find(tuple(there), known, there.__getitem__)
    assert found.address == used
    assert len(found.notes) == notes
    assert bool(found.words) is not bool(used)
    if used:
        assert found.server == there[used].server


def test_an_address_behind_the_one_that_is_used_is_not_asked() -> None:
    asked = []

    def ask(address: str) -> Who:
        asked.append(address)
        return who("a")

    find((HOME, AWAY), "a", ask)
    assert asked == [HOME]


def test_what_is_wrong_with_each_is_said() -> None:
    found = find((HOME, AWAY), "", {HOME: DOWN, AWAY: OTHER_KIND}.__getitem__)
    assert found == Found(
        words=f"{HOME}: {DOWN.words}; {AWAY}: {OTHER_KIND.words}", is_reached=True, is_wrong=False
    )
    assert find((HOME, AWAY), "", lambda _: OTHER_KIND).is_wrong
    assert not find((HOME, AWAY), "", lambda _: DOWN).is_reached


# Who is shown the token.


def other_receiver() -> Stranger:
    said = {"server": "albumup", "version": 1, "store": "x"}
    return Stranger({"/": said}, {RECEIVER: "0" * 32})


def other_immich() -> Stranger:
    history = [{"id": "another", "createdAt": "2024-01-01T00:00:00.000Z", "version": "2.0.0"}]
    return Stranger({"/api/server/ping": {"res": "pong"}, "/api/server/version-history": history})


def nobody() -> str:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}"


def inbox(first: str, *more: str) -> InboxTarget:
    settings = InboxSettings(url=first, also=more, auth="bearer", token=TOKEN)
    return InboxTarget("nas", settings, TOKEN, "config.toml")


def immich_at(first: str, *more: str) -> ImmichTarget:
    return ImmichTarget("home", ImmichSettings(url=first, also=more, token=KEY), KEY, "config.toml")


def test_a_receiver_is_the_same_under_all_its_addresses(tmp_path: Path) -> None:
    """Also to those who show it no token."""
    store = Store(str(tmp_path / "a"))
    with receiving(store) as one, receiving(store) as other, receiving(tmp_path / "b") as stranger:
        urls = [f"http://{host}:{port}" for host, port in (one.address, other.address)]
        target = inbox(*urls)
        said = [target.who_is_at(target.http(), url) for url in urls]
        assert said[0].server
        assert said[0] == said[1]
        elsewhere = "http://{}:{}".format(*stranger.address)
        assert target.who_is_at(target.http(), elsewhere).server not in ("", said[0].server)


def test_a_receiver_that_is_another_one_is_never_shown_the_token(tmp_path: Path) -> None:
    with receiving(tmp_path / "a") as client, other_receiver() as other:
        here = "http://{}:{}".format(*client.address)
        target = inbox(other.url, here)
        target.server = target.who_is_at(target.http(), here).server
        asked = [Asked("a.jpg", {"sha256": "0" * 64})]
        assert target.ask(target.http(), "trip", asked) == [None]
        assert target.at == here
        assert other.paths == ["/"]
        assert TOKEN not in "".join(other.shown)


def test_an_immich_is_known_by_its_oldest_entry() -> None:
    with Immich.running() as one, Immich.running() as other:
        by_name = one.url.replace("127.0.0.1", "localhost")
        target = immich_at(one.url, by_name, other.url + "/api")
        said = [target.who_is_at(target.http(), url) for url in target.addresses]
        assert said[0].server
        assert said[0] == said[1]
        assert said[2].server not in ("", said[0].server)


def test_an_immich_that_is_another_one_is_never_shown_the_key() -> None:
    with Immich.running() as server, other_immich() as other:
        target = immich_at(other.url, server.url)
        target.server = target.who_is_at(target.http(), server.url).server
        assert target.api(target.http()) == server.url + "/api"
        assert set(other.paths) == {
            "/.well-known/immich", "/api/server/ping", "/api/server/version-history",
        }  # fmt: skip
        assert KEY not in "".join(other.shown)


def test_no_photo_is_addressed_before_the_server_is_found() -> None:
    with other_immich() as other:
        target = immich_at(other.url, nobody())
        target.server = "ours"
        with pytest.raises(Unasked, match="another server"):
            target.api()
        assert KEY not in "".join(other.shown)


@pytest.mark.parametrize(
    ("status", "is_wrong"), [(200, True), (404, True), (502, False), (503, False)]
)
def test_a_server_that_is_down_is_waited_for_and_another_kind_is_not(
    status: int, is_wrong: bool
) -> None:
    from servers import Server, answer, body, head

    with Server([head, body, answer(status, {})] * 4) as other:
        for target in (inbox(other.url, AWAY), immich_at(other.url, AWAY)):
            found = target.who_is_at(target.http(), other.url)
            assert found.words
            assert found.is_wrong is is_wrong


# Check.


def test_check_shows_each_address(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "a"))
    with receiving(store) as one, receiving(store) as two, other_receiver() as other:
        urls = ["http://{}:{}".format(*client.address) for client in (one, two)]
        gone = nobody()
        lines = inbox(gone, urls[0], urls[1], other.url)
        lines.server = lines.who_is_at(lines.http(), urls[0]).server
        found = lines.check()
        assert [(line.name, line.ok) for line in found[:4]] == [
            ("address 1", None), ("address 2", True), ("address 3", True), ("address 4", False),
        ]  # fmt: skip
        assert "refused" in found[0].words
        assert found[1].words == f"{urls[0]}: used now"
        assert found[2].words == f"{urls[1]}: the same server"
        assert found[3].words.startswith(f"{other.url} is ")
        assert found[4].words == f"{urls[0]}: a receiver of albumup"
        assert TOKEN not in "".join(other.shown)


def test_check_without_a_server_goes_no_further() -> None:
    found = immich_at(nobody(), nobody()).check()
    assert [(line.ok, line.is_down) for line in found] == [(False, True)] * 2


# Definitions.


def test_the_set_of_addresses_frames_and_their_order_does_not() -> None:
    prints = {immich_at(*urls).fingerprint for urls in ((HOME, AWAY), (AWAY, HOME))}
    assert len(prints) == 1
    assert immich_at(HOME).fingerprint not in prints
    assert immich_at(HOME, AWAY, LAN).fingerprint not in prints


@pytest.mark.parametrize(
    ("then", "now", "is_same"),
    [
        ((HOME,), (HOME, AWAY), True),
        ((HOME, AWAY), (AWAY,), True),
        ((HOME, AWAY), (AWAY, LAN), True),
        ((HOME,), (AWAY, LAN), False),
        ((HOME,), (HOME,), False),  # the definition differs elsewhere
    ],
)
def test_a_doubt_of_another_list_is_asked_about_by_the_present_one(
    then: tuple[str, ...], now: tuple[str, ...], is_same: bool
) -> None:
    before, present = immich_at(*then), immich_at(*now)
    assert is_the_same_but_for_addresses(before.kept, present) is is_same


def test_other_settings_make_another_server() -> None:
    before: Target = immich_at(HOME)
    settings = ImmichSettings(url=HOME, also=(AWAY,), token=KEY, auth="bearer")
    present = ImmichTarget("home", settings, KEY, "config.toml")
    assert not is_the_same_but_for_addresses(before.kept, present)


# The config.


def table(kind: str, urls: object) -> str:
    return f"kind = {json.dumps(kind)}\nurl = {json.dumps(urls)}\n"


@pytest.mark.parametrize("kind", ["immich", "inbox"])
def test_a_list_is_for_kinds_that_know_their_server(tmp_path: Path, kind: str) -> None:
    target = configured(tmp_path, table(kind, [HOME, AWAY]), "home")
    assert target.addresses == (HOME, AWAY)
    assert not target.is_placed
    assert configured(tmp_path, table(kind, [HOME]), "home").is_placed


@pytest.mark.parametrize(
    ("kind", "urls", "words"),
    [
        ("form", [HOME, AWAY], r"home\.url: one address alone: this kind of server cannot tell"),
        ("immich", [], r"home\.url: expected an address, or a list of them"),
        ("immich", [HOME, 7], r"home\.url: expected an address, or a list of them"),
        ("immich", [HOME, HOME + "/"], r"home\.url: the same address twice"),
        ("immich", [HOME, "ftp://nas"], r"home\.url: "),
        ("immich", [HOME, "https://anna:word@nas"], r"home\.url: "),
    ],
)
def test_a_bad_list_names_its_key(tmp_path: Path, kind: str, urls: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        configured(tmp_path, table(kind, urls), "home")


def test_the_others_are_no_key_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="several addresses are a list"):
        configured(tmp_path, table("immich", HOME) + f"also = {json.dumps([AWAY])}\n", "home")
    with pytest.raises(ConfigError) as wrong:
        configured(tmp_path, table("immich", HOME) + "urls = 1\n", "home")
    assert "also" not in wrong.value.hint


def test_each_address_in_clear_text_is_warned_of() -> None:
    settings = ImmichSettings(url=HOME, also=("http://photos.example.org", AWAY), token=KEY)
    assert [line.partition(" is ")[0] for line in warnings(settings)] == [
        "http://photos.example.org"
    ]
