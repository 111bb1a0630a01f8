"""Finds the target to ask about a body that was framed under an earlier definition of its
target."""

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
"""Makes the target of a journaled definition (JSON) from the present one; None: not to be asked."""


class Formers:
    """Targets by the definitions under which bodies now in doubt were sent. They are asked, and
    sent nothing."""

    def __init__(self, rebuild: Rebuild) -> None:
        self._rebuild = rebuild
        self._upstreams: dict[int, Upstream] = {}

    def upstream_for(
        self, journal: Journal, upstream: Upstream, definition: int | None
    ) -> Upstream:
        """The upstream to ask about a body of that definition (None: by an older version of
        albumup).

        Inside a transaction. A closed one cannot be asked any more, and its closing says why.
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
        breaker = Breaker(
            present.patience, present.retries, True, present.jobs, present.most_photos
        )
        former = Upstream(target or upstream.target, rules, breaker, definition=definition)
        former.closing = closing
        former.seeks = False  # it finds its address itself, or is the present one
        return former
