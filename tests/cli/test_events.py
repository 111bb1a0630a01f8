"""What is told while a run goes: each line about a photo says why."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from test_reasons import BaseNames

from albumup.cli.events import event_json, event_line
from albumup.journal.states import State
from albumup.uploader.events import (
    AddressNote,
    AlbumNote,
    Answered,
    Changed,
    Event,
    FramedAnew,
    GoesOn,
    Missing,
    Paused,
    Queued,
    Recorded,
    Regulated,
    Shared,
    Spooled,
    Tried,
    Waits,
    Woke,
)

ABOUT = (0.0, "trip", "home", b"/t/A.JPG")
TRIED = Tried(*ABOUT, "not_taken", "503 busy", tries=2, of=4, costs=True, held=False, next_at=0.0)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (TRIED, "  ! A.JPG  503 busy, try 2 of 4, next at once"),
        (replace(TRIED, costs=False), "  ! A.JPG  503 busy, not counted as a try"),
        (
            replace(TRIED, tries=4, held=True),
            "  ! A.JPG  503 busy, try 4 of 4; given up if other photos get through",
        ),
        (
            replace(TRIED, outcome="rejected"),
            "  ! A.JPG  503 busy; held back, for this server has not accepted any photo yet",
        ),
        (replace(TRIED, outcome="sick"), ""),
        (
            Recorded(*ABOUT, State.IN_DOUBT, "cut", 9, asks_in=30.0),
            "  ? A.JPG  cut; the server is asked in 30 s",
        ),
        (
            Recorded(*ABOUT, State.IN_DOUBT, "cut", 9, asks_in=-0.2),
            "  ? A.JPG  cut; the server is asked now",
        ),
        (Recorded(*ABOUT, State.IN_DOUBT, "cut", 9), "  ? A.JPG  cut"),
        (Recorded(*ABOUT, State.IN_DOUBT, None, 9), "  ? A.JPG  no reason was given"),
        (Recorded(*ABOUT, State.FAILED, "no", 9), "  ! A.JPG  failed: no"),
        (
            Answered(*ABOUT, State.IN_DOUBT, error="later", asks_in=5.0),
            "  ? A.JPG  later; the server is asked in 5 s",
        ),
        (Answered(*ABOUT, State.REJECTED, error="too large"), "  ! A.JPG  rejected: too large"),
        (Answered(*ABOUT, State.PENDING), ""),
        (Missing(*ABOUT, "it is gone"), "  ! A.JPG  missing: it is gone"),
        (
            Changed(*ABOUT, "its size"),
            "  ! A.JPG  changed since it was queued (its size); it is read again",
        ),
        (Recorded(*ABOUT, State.UPLOADED, None, 9), ""),
        (Answered(*ABOUT, State.UPLOADED, error=None), ""),
    ],
)
def test_a_line_about_a_photo_says_why(event: Event, line: str) -> None:
    assert event_line(event, BaseNames()) == line


def test_no_name_is_looked_up_for_a_photo_without_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would ask the journal about each photo that is sent."""
    monkeypatch.setattr(BaseNames, "of", lambda *_: pytest.fail("the journal was asked"))
    for event in Recorded(*ABOUT, State.UPLOADED, None, 9), replace(TRIED, outcome="uploaded"):
        assert event_line(event, BaseNames()) == ""


def test_leave_is_told_once_each_way() -> None:
    waits = Waits(0.0, None, "home", "may_run says no (\x1b[2Jlate)")
    assert event_line(waits, BaseNames(), "home") == (
        "  ! home: waits: may_run says no (\\x1b[2Jlate)"
    )
    said = event_line(GoesOn(0.0, None, "home"), BaseNames(), "home")
    assert said == "home: may_run says yes; going on."


def test_what_was_found_of_an_address_is_told() -> None:
    note = AddressNote(0.0, None, "home", "goes on at https://b")
    assert event_line(note, BaseNames(), "home") == "  ! home: goes on at https://b"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"jobs": 1}, "1 upload at once"),
        ({"jobs": 2, "limit_rate": "1M"}, "1.0 MB/s and 2 uploads at once"),
        ({"limit_rate": "off"}, "no rate limit"),
        ({"limit_rate": "08:00,1M 23:00,off"}, 'the rates "08:00,1M 23:00,off"'),
    ],
)
def test_other_options_are_told(changed: dict[str, Any], said: str) -> None:
    line = event_line(Regulated(0.0, None, None, **changed), BaseNames())
    assert line == f"Goes on with {said}, as another command asked."


def test_copies_are_told_with_their_album() -> None:
    said = event_line(Spooled(0.0, "m3", "home", 20), BaseNames())
    assert said == "m3: 20 photos copied. You can take the card out now."


def test_a_sleep_is_told_with_its_length() -> None:
    said = event_line(Woke(0.0, None, None, 27_600.0), BaseNames())
    assert said == "Awake again after 7 h 40 min; going on."


@pytest.mark.parametrize(
    ("seconds", "line"),
    [
        (300.0, "  ! home: 502 Bad Gateway; trying again for 5 min at most"),
        (0.0, "  ! home: 502 Bad Gateway; trying again with a few photos at most"),
    ],
)
def test_a_pause_says_how_long_it_is_tried(seconds: float, line: str) -> None:
    event = Paused(0.0, None, "home", "502 Bad Gateway", 0.0, seconds)
    assert event_line(event, BaseNames(), "home") == line


PLACE = {"time": "1970-01-01T00:00:00.000Z", "album": "trip", "target": "home"}
PATH = PLACE | {"path": "/t/A.JPG"}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            Recorded(*ABOUT, State.UPLOADED, None, 9),
            PATH | {"event": "uploaded", "error": None, "size": 9, "asks_in": None},
        ),
        (Answered(*ABOUT, State.PENDING), PATH | {"event": "attempt", "outcome": "asked"}),
        (
            Answered(*ABOUT, State.UPLOADED, error=None),
            PATH | {"event": "uploaded", "outcome": "asked", "error": None},
        ),
        (
            Answered(*ABOUT, State.IN_DOUBT, error="later", asks_in=5.0),
            PATH | {"event": "in_doubt", "outcome": "asked", "error": "later", "asks_in": 5.0},
        ),
        (
            replace(TRIED, next_at=60.0),
            PATH
            | {
                "event": "attempt",
                "outcome": "not_taken",
                "error": "503 busy",
                "tries": 2,
                "of": 4,
                "costs": True,
            }
            | {"held": False, "next_at": "1970-01-01T00:01:00.000Z"},
        ),
        (Missing(*ABOUT, "gone"), PATH | {"event": "missing", "error": "gone"}),
        (Changed(*ABOUT, "its size"), PATH | {"event": "changed", "error": "its size"}),
        (Queued(*ABOUT, 9), PATH | {"event": "queued", "size": 9}),
        (
            Paused(0.0, None, "home", "502", 3.0, 4.0),
            PLACE
            | {"event": "paused", "album": None, "reason": "502", "lasted": 3.0, "seconds": 4.0},
        ),
        (
            Woke(0.0, None, None, 28800.0),
            PLACE | {"event": "woke", "album": None, "target": None, "seconds": 28800.0},
        ),
        (
            Waits(0.0, None, "home", "may_run says no (late)"),
            PLACE | {"event": "waits", "album": None, "reason": "may_run says no (late)"},
        ),
        (
            AddressNote(0.0, None, "home", "goes on at https://b"),
            PLACE | {"event": "address", "album": None, "words": "goes on at https://b"},
        ),
        (
            Regulated(0.0, None, None, jobs=2),
            PLACE | {"event": "options", "album": None, "target": None, "jobs": 2},
        ),
        (GoesOn(0.0, None, "home"), PLACE | {"event": "goes_on", "album": None}),
        (FramedAnew(0.0, None, "home"), PLACE | {"event": "framed_anew", "album": None}),
        (
            Spooled(0.0, "trip", "home", 3),
            PLACE | {"event": "spooled", "photos": 3},
        ),
        (AlbumNote(0.0, "trip", "home", "emptied"), PLACE | {"event": "album", "words": "emptied"}),
        (
            Shared(0.0, "trip", "home", "http://x/s"),
            PLACE | {"event": "shared", "url": "http://x/s"},
        ),
    ],
)
def test_json_shows_an_events_fields_and_no_others(event: Event, line: dict[str, object]) -> None:
    assert event_json(event) == line
