"""Photos that a push names without being asked: empty ones, and those with a wrong suffix."""

from __future__ import annotations

from albumup.cli.escaping import escape
from albumup.cli.figures import are, photos
from albumup.cli.screen import Screen
from albumup.photos.skipped import Examples
from albumup.session.survey import Survey


def say_oddities(screen: Screen, survey: Survey) -> None:
    """Name the empty and the odd photos, at most ten of each."""
    empty, odd = survey.empty.count, survey.odd.count
    if empty:
        _name(screen, f"{photos(empty)} {are(empty)} empty, and not sent:", survey.empty)
    if odd:
        start = "1 file is not what its name says, and goes as it is:"
        if odd > 1:
            start = f"{odd} files are not what their names say, and go as they are:"
        _name(screen, start, survey.odd)


def _name(screen: Screen, start: str, examples: Examples) -> None:
    screen.say(start)
    for path, words in examples.first:
        screen.say(f"  {escape(path)}" + (f": {words}" if words else ""))
    if (rest := examples.count - len(examples.first)) > 0:
        screen.say(f"  and {rest} more")
