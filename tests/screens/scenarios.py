"""What is there before the commands of a block are typed, block by block."""

from __future__ import annotations

from collections.abc import Callable

from e2e.server import Answer
from immich.fake import KEY

from .stage import Stage, free_port

Scenario = Callable[[Stage], None]
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
def first_server(stage: Stage) -> None:
    stage.photos()
    stage.immich()
    stage.when("albumup target add", "it is not shown", lambda terminal: terminal.press(KEY + "\n"))


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
    server.answer = lambda sent: Answer(413 if sent.filename.endswith("MOV") else 201)
    stage.run("albumup push ./trip")


@screen("query")
def query(stage: Stage) -> None:
    what_failed(stage)


@screen("rehearse")
def rehearse(stage: Stage) -> None:
    stage.seed = 134  # most that the faults ask for comes about, but no stall, which takes a minute
    stage.photos()
    stage.reads(str(free_port()), "8090")
    stage.stays("albumup receive", "/photos'")
    stage.leave_out("  !", "  ?")
