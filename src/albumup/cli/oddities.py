"""What a push names without being asked: photos that are empty, or hold something else than their names say."""

from __future__ import annotations

from albumup.cli.screen import Screen, escape
from albumup.skipped import Examples
from albumup.survey import Survey


def say_oddities(screen: Screen, survey: Survey) -> None:
    empty, odd = survey.empty.count, survey.odd.count
    if empty:
        start = "1 photo is empty, and not sent:" if empty == 1 else f"{empty} photos are empty, and not sent:"
        _name(screen, start, survey.empty)
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
