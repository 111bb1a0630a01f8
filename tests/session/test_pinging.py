"""Pings of a run: when, which address, and what is said of those that fail."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator

import pytest
from servers import Line, Server, answer, head

from albumup.config.file import Config, Defaults, TargetTable
from albumup.config.unattended import Unattended
from albumup.session.pinging import Pinging, fetched, ping_urls, pings

URL = "https://anna:hunter2@ping.example.org/7d1c"


def never() -> bool:
    return False


class Pinged(Server):
    """Answers each GET with ``status``; ``asked``: the paths, each with its authorization."""

    def __init__(self, status: int = 200, reason: str = "As Said") -> None:
        self.asked: list[tuple[str, str | None]] = []
        said = answer(status, headers=[("Location", "/elsewhere")], reason=reason)
        super().__init__((head, self._note, said))

    def _note(self, line: Line) -> None:
        assert line.head is not None
        self.asked.append((line.head.target, line.head.headers.get("authorization")))

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"


@pytest.fixture
def server() -> Iterator[Pinged]:
    server = Pinged()
    yield server
    server.close()


@pytest.mark.parametrize(("code", "end"), [(0, ""), (3, "/fail"), (75, "/fail"), (143, "/fail")])
def test_a_run_pings_at_its_start_and_end(server: Pinged, code: int, end: str) -> None:
    pinging = Pinging([f"http://{server.place}/x"])
    pinging.begin()
    pinging.end(code)
    assert pinging.finish(never) == []
    assert server.asked == [("/x/start", None), (f"/x{end}", None)]


def test_a_user_in_the_address_is_sent_as_one(server: Pinged) -> None:
    assert fetched(f"http://anna:hunter%202@{server.place}/x") == ""
    assert server.asked == [("/x", "Basic " + base64.b64encode(b"anna:hunter 2").decode())]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_another_answer_than_yes_is_a_fault(status: int) -> None:
    server = Pinged(status)
    assert fetched(f"http://{server.place}/x") == f"it answered {status} As Said"
    assert server.asked == [("/x", None)], "no redirect is followed"
    server.close()


def test_a_query_stays_behind_the_path(server: Pinged) -> None:
    pinging = Pinging([f"http://{server.place}/x?create=1"])
    pinging.begin()
    pinging.end(3)
    assert pinging.finish(never) == []
    assert server.asked == [("/x/start?create=1", None), ("/x/fail?create=1", None)]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("No /7d1c-22ab/mine here", "No /******** here"),
        ("No mine here", "No ******** here"),
        ("Not anna:hunter2", "Not ********"),
        ("Not YW5uYTpodW50ZXIy", "Not ********"),
        ("No 9c0a-7d51", "No ********"),
    ],
)
def test_a_server_that_repeats_the_address_is_not_quoted(reason: str, said: str) -> None:
    server = Pinged(404, reason)
    url = f"http://anna:hunter2@{server.place}/7d1c-22ab/mine?who=9c0a-7d51"
    assert fetched(url) == f"it answered 404 {said}"
    server.close()


def test_a_server_that_is_not_there_is_named_without_the_rest_of_its_address() -> None:
    gone = Pinged()
    place = gone.place
    gone.close()
    pinging = Pinging([f"http://anna:hunter2@{place}/7d1c"])
    pinging.begin()
    pinging.end(0)
    assert pinging.finish(never) == ["ping failed: 127.0.0.1: connection refused"]


def test_a_failure_is_told_once() -> None:
    pinging = Pinging([URL], lambda url: f"no, {len(url)}")
    pinging.begin()
    pinging.end(4)
    assert pinging.finish(never) == [f"ping failed: ping.example.org: no, {len(URL) + 6}"]


def test_a_ping_that_hangs_holds_nobody_up() -> None:
    may_end = threading.Event()

    def hangs(_: str) -> str:
        may_end.wait(60)
        return ""

    pinging = Pinging([URL], hangs)
    pinging.begin()
    looks = iter((False, True))
    assert pinging.finish(lambda: next(looks)) == [
        "ping failed: ping.example.org: no answer in time"
    ]
    assert next(looks, None) is None, "it gave up when it was told to, not at its limit"
    may_end.set()
    for thread in threading.enumerate():
        if thread.name == "pings":
            thread.join()


def test_a_run_without_an_address_pings_nobody() -> None:
    warned: list[str] = []
    with pings([], warned.append, lambda: never) as pinging:
        pinging.begin()
        pinging.end(0)
    assert warned == []
    assert not [one for one in threading.enumerate() if one.name == "pings"]


def test_a_runs_addresses_are_those_of_its_targets() -> None:
    tables = {
        "own": TargetTable(
            "own", "form", {}, "c: targets.own", {"ping": "https://own.example.org"}
        ),
        "bad": TargetTable("bad", "form", {}, "c: targets.bad", {"ping": 3}),
        "none": TargetTable("none", "form", {}, "c: targets.none"),
    }
    config = Config("c", defaults=Defaults(unattended=Unattended(ping=URL)), targets=tables)
    assert sorted(ping_urls(config, ["own", "bad", "none", "inbox"])) == [
        URL, URL, "https://own.example.org"
    ]  # fmt: skip
