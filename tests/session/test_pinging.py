"""Pings of a run: when, which address, and what is said of those that fail."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from albumup.config.file import Config, Defaults, TargetTable
from albumup.config.unattended import Unattended
from albumup.session.pinging import Pinging, fetched, ping_urls, pings

URL = "https://anna:hunter2@ping.example.org/7d1c"


def never() -> bool:
    return False


class Server(ThreadingHTTPServer):
    """Answers with ``status``; ``asked``: the paths, each with its authorization."""

    status = 200

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked.append((self.path, self.headers["Authorization"]))
        self.send_response(self.server.status, "As Said")
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(("code", "end"), [(0, ""), (3, "/fail"), (75, "/fail"), (143, "/fail")])
def test_a_run_pings_at_its_start_and_end(server: Server, code: int, end: str) -> None:
    pinging = Pinging([f"http://{server.place}/x"])
    pinging.begin()
    pinging.end(code)
    assert pinging.finish(never) == []
    assert server.asked == [("/x/start", None), (f"/x{end}", None)]


def test_a_user_in_the_address_is_sent_as_one(server: Server) -> None:
    assert fetched(f"http://anna:hunter%202@{server.place}/x") == ""
    assert server.asked == [("/x", "Basic " + base64.b64encode(b"anna:hunter 2").decode())]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_another_answer_than_yes_is_a_fault(server: Server, status: int) -> None:
    server.status = status
    assert fetched(f"http://{server.place}/x") == f"it answered {status} As Said"
    assert server.asked == [("/x", None)], "no redirect is followed"


def test_a_server_that_is_not_there_is_named_without_the_rest_of_its_address() -> None:
    with Server() as gone:
        place = gone.place
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
