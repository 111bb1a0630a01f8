"""What is told while a run goes: each line about a photo says why."""

from __future__ import annotations

import time
from typing import Any

import pytest
from test_reasons import BaseNames

from albumup.cli.events import event_line

TRIED = {"event": "attempt", "outcome": "not_taken", "costs": True, "tries": 2, "of": 4, "next_at": 0.0}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (TRIED | {"error": "503 busy"}, "  ! A.JPG  503 busy, try 2 of 4, next at once"),
        (TRIED | {"error": "503 busy", "costs": False}, "  ! A.JPG  503 busy, not counted as a try"),
        ({"event": "in_doubt", "error": "cut", "asks_in": 30.0}, "  ? A.JPG  cut; the server is asked in 30 s"),
        ({"event": "in_doubt", "error": "cut", "asks_in": -0.2}, "  ? A.JPG  cut; the server is asked now"),
        ({"event": "in_doubt", "error": "cut", "asks_in": None}, "  ? A.JPG  cut"),
        ({"event": "in_doubt", "error": None}, "  ? A.JPG  no reason was given"),
        ({"event": "missing", "error": "it is gone"}, "  ! A.JPG  missing: it is gone"),
        ({"event": "uploaded"}, ""),
    ],
)
def test_a_line_about_a_photo_says_why(event: dict[str, Any], line: str) -> None:
    assert event_line({"path": b"/t/A.JPG", "time": time.time(), **event}, BaseNames()) == line


@pytest.mark.parametrize(
    ("seconds", "line"),
    [
        (300.0, "  ! home: 502 Bad Gateway; trying again for 5 min at most"),
        (0.0, "  ! home: 502 Bad Gateway; trying again with a few photos at most"),
    ],
)
def test_a_pause_says_how_long_it_is_tried(seconds: float, line: str) -> None:
    event = {"event": "paused", "target": "home", "reason": "502 Bad Gateway", "lasted": 0.0, "seconds": seconds}
    assert event_line(event, BaseNames()) == line
