"""Whom to ask about a body that was framed under another definition of its target than the present one."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from albumup.errors import AlbumupError
from albumup.journal import framing
from albumup.journal.journal import Journal
from albumup.targets.base import Target
from albumup.uploader.breaker import Breaker
from albumup.uploader.upstream import Closing, Upstream

Rebuild = Callable[[str, Target], Target | None]
"""The target of a definition that the journal has kept (JSON), given the present one; None: it cannot be asked."""


class Formers:
    """Targets as they were defined when bodies now in doubt were sent. Nothing is sent to them: they are asked."""

    def __init__(self, rebuild: Rebuild) -> None:
        self._rebuild = rebuild
        self._upstreams: dict[int, Upstream] = {}

    def upstream_for(self, journal: Journal, upstream: Upstream, definition: int | None) -> Upstream:
        """The upstream by which to ask about a body of that definition (None: of an older version).

        Inside a transaction. One that is closed cannot be asked any more, and its words say why.
        """
        if definition is None or definition == upstream.definition:
            return upstream
        if definition not in self._upstreams:
            self._upstreams[definition] = self._former(journal, upstream, definition)
        return self._upstreams[definition]

    def close(self) -> None:
        for upstream in self._upstreams.values():
            upstream.target.close()

    def _former(self, journal: Journal, upstream: Upstream, definition: int) -> Upstream:
        closing = None
        try:
            target = self._rebuild(framing.settings_of(journal, definition), upstream.target)
        except AlbumupError as error:
            target, closing = None, Closing(error.exit_code, str(error), error.hint)
        rules = replace(upstream.rules, can_ask=target is not None or closing is not None)
        present = upstream.breaker
        breaker = Breaker(present.patience, present.retries, True, present.jobs, present.most_photos)
        former = Upstream(target or upstream.target, rules, breaker, definition=definition)
        former.closing = closing
        return former
