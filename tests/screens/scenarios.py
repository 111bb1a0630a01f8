"""What is there before the commands of a block are typed, block by block."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from immich.fake import KEY, Immich
from servers import FormServer, Received, Step, answer
from terminal import PATIENCE

from albumup.session.snapshot import Reader

from .stage import Stage, free_port

Scenario = Callable[[Stage], object]
TOKEN = "a-long-random-line-of-the-club"
CLUB = """
[targets.club]
kind = "form"
url = "https://club.example.org/albums/{album}/photos"
token_file = "~/.config/albumup/club.token"
file_field = "photo"
resend = "allowed"

[targets.club.fields]
title = "{name}"
sha256 = "{sha256}"
"""
"""The table that README shows."""
SCENARIOS: dict[str, Scenario] = {}
LONG: set[str] = set()
"""Names of those that take their time."""


def screen(name: str, *, is_long: bool = False) -> Callable[[Scenario], Scenario]:
    """The scenario under a marker's name."""

    def keep(scenario: Scenario) -> Scenario:
        SCENARIOS[name] = scenario
        if is_long:
            LONG.add(name)
        return scenario

    return keep


@screen("first-push")
def first_push(stage: Stage) -> None:
    stage.photos()


@screen("first-server")
def first_server(stage: Stage) -> Immich:
    stage.photos()
    server = stage.immich()
    stage.when("albumup target add", "it is not shown", lambda terminal: terminal.press(KEY + "\n"))
    return server


@screen("form")
def form(stage: Stage) -> None:
    stage.photos()
    stage.form()


@screen("check-and-try")
def check_and_try(stage: Stage) -> None:
    stage.photos()
    stage.form()
    stage.secret(".config/albumup/club.token", TOKEN)
    stage.config(CLUB)


@screen("what-failed")
def what_failed(stage: Stage) -> None:
    """One photo is too large for the club."""
    check_and_try(stage)
    server = stage.form()
    server.answer = lambda sent: answer(413 if sent.filename.endswith("MOV") else 201, {})
    stage.run("albumup push ./trip")


@screen("query", is_long=True)
def query(stage: Stage) -> None:
    what_failed(stage)


@screen("rehearse", is_long=True)
def rehearse(stage: Stage) -> None:
    stage.seed = 134  # most that the faults ask for comes about, but no stall, which takes a minute
    stage.photos()
    stage.reads(str(free_port()), "8090")
    stage.stays("albumup receive", "/photos'")
    stage.leave_out("  !", "  ?")


def club(stage: Stage) -> FormServer:
    """The club's server is set up, and there are photos."""
    check_and_try(stage)
    return stage.form()


@screen("two-machines", is_long=True)
def two_machines(stage: Stage) -> None:
    """Both have the same home folder here."""
    stage.photos()
    port = free_port()
    stage.reads(str(port), "8090")
    stage.plain_host("nas.local", port)
    stage.stays("albumup receive", "target add")


def held_up(stage: Stage) -> tuple[FormServer, threading.Event]:
    """The club has answered to three photos, and answers to more when the event is set."""
    server, may_go = club(stage), threading.Event()

    def said(sent: Received) -> Step:
        if sent.filename not in ("IMG_4101.HEIC", "IMG_4102.HEIC", "IMG_4103.HEIC"):
            may_go.wait(PATIENCE)
        return answer(201, {})

    server.answer = said
    stage.at_end(may_go.set)
    return server, may_go


@screen("interrupted")
def interrupted(stage: Stage) -> None:
    """Ctrl-C when three photos are there and four are on their way."""
    server, may_go = held_up(stage)
    stage.bars = [0.7, 0.39, 0.2, 0.08]
    stage.stays("albumup push", r"trip 3/9 [^≥]*IMG_4107\S+ +\d+% .* \d\d:\d\d$")
    stage.when("albumup push", "IMG_4107", lambda _: wait_for(lambda: server.in_flight == 4))
    stage.when("albumup push", "Ctrl-C again cuts all", lambda _: may_go.set())


@screen("running", is_long=True)
def running(stage: Stage) -> None:
    """Somebody uploads in another terminal."""
    server, _ = held_up(stage)
    stage.bars = [0.7, 0.39, 0.2, 0.08]
    stage.stays("albumup push", "trip 3/9")
    stage.run("albumup push ./trip")
    wait_for(lambda: server.in_flight == 4)
    snapshot = Reader(f"{stage.home}/.local/state/albumup/journal.db.live")

    def is_shown() -> bool:
        """Whether the snapshot is of the photos in flight now: the last ones to be shown."""
        now = snapshot.look()
        if now is None or not now.rate or not now.progress.is_complete:
            return False
        return now.progress.photos_done == 3 and all(now.progress.uploads)

    wait_for(is_shown)
    stage.stays_no_more()


@screen("some-failed", is_long=True)
def some_failed(stage: Stage) -> None:
    stage.leave_out("  !")
    server = club(stage)
    refused = {"IMG_4103.HEIC": 423, "IMG_4109.MOV": 413}
    server.answer = lambda sent: answer(refused.get(sent.filename, 201), {})


@screen("wrong-address")
def wrong_address(stage: Stage) -> None:
    club(stage).answer = lambda _: answer(404, b"<html>not here</html>", mime="text/html")


@screen("wrong-token")
def wrong_token(stage: Stage) -> None:
    club(stage).answer = lambda _: answer(401, {})


@screen("from-cron", is_long=True)
def from_cron(stage: Stage) -> None:
    """One photo failed in the evening, and does again. Mail has no columns."""
    stage.columns = 132
    some_failed(stage)
    stage.run("albumup push ./trip")


@screen("card-away", is_long=True)
def card_away(stage: Stage) -> None:
    """The card is pulled before all is sent."""
    interrupted(stage)
    stage.run("albumup push ./trip")
    stage.interrupt()
    (stage.home / "trip").rename(stage.home / "in my pocket")


@screen("share", is_long=True)
def share(stage: Stage) -> None:
    first_server(stage)
    stage.run("albumup target add home https://photos.example.org", "albumup push ./trip")


@screen("not-safe", is_long=True)
def not_safe(stage: Stage) -> None:
    """One photo came after the push, and one was deleted on the server."""
    server = first_server(stage)
    stage.run("albumup target add home https://photos.example.org", "albumup push ./trip")
    stage.photos(sizes=(2_204_118,), first=4110)
    server.tell(
        "delete_asset",
        id=next(one["id"] for one in server.assets() if one["name"] == "IMG_4102.HEIC"),
    )


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)
