"""Whom to ask about a body that was framed under another definition of its target than the present one."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from albumup.errors import AlbumupError
from albumup.journal import framing
from albumup.journal.journal import Journal
from albumup.targets.base import Target
from albumup.uploader.breaker import Breaker
from albumup.uploader.lane import Closing, Lane

Rebuild = Callable[[str, Target], Target | None]
"""The target of a definition that the journal has kept (JSON), given the present one; None: it cannot be asked."""


class Formers:
    """Targets as they were defined when bodies now in doubt were sent. Nothing is sent to them: they are asked."""

    def __init__(self, rebuild: Rebuild) -> None:
        self._rebuild = rebuild
        self._lanes: dict[int, Lane] = {}

    def lane_for(self, journal: Journal, lane: Lane, definition: int | None) -> Lane:
        """The lane by which to ask about a body of that definition (None: of an older version); inside a transaction.

        One that is closed cannot be asked any more, and its words say why.
        """
        if definition is None or definition == lane.definition:
            return lane
        if definition not in self._lanes:
            self._lanes[definition] = self._former(journal, lane, definition)
        return self._lanes[definition]

    def close(self) -> None:
        for lane in self._lanes.values():
            lane.target.close()

    def _former(self, journal: Journal, lane: Lane, definition: int) -> Lane:
        closing = None
        try:
            target = self._rebuild(framing.settings_of(journal, definition), lane.target)
        except AlbumupError as error:
            target, closing = None, Closing(error.exit_code, str(error), error.hint)
        rules = replace(lane.rules, can_ask=target is not None or closing is not None)
        present = lane.breaker
        breaker = Breaker(present.patience, present.retries, True, present.jobs, present.most_photos)
        former = Lane(target or lane.target, rules, breaker, definition=definition)
        former.closing = closing
        return former
