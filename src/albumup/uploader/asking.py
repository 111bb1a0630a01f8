"""Asks a target, without a photo, whether it is there, and at which of its addresses."""

from __future__ import annotations

from dataclasses import replace

from albumup.helpers import Work
from albumup.targets.addresses import Found
from albumup.targets.base import Target, Unasked
from albumup.transfer import Fault
from albumup.transfer.http import Http
from albumup.transfer.values import Stopped
from albumup.uploader.events import AddressNote
from albumup.uploader.health import Health, health_of
from albumup.uploader.https import Https
from albumup.uploader.run import Run
from albumup.uploader.upstream import Upstream

_SECONDS = 20.0
"""Seconds of silence after which a question counts as unanswered."""


_CONFIRMED_SECONDS = 10.0
"""Seconds for which the server at an address in clear text counts as confirmed."""


async def confirm(run: Run, upstream: Upstream, https: Https, address: str = "") -> None:
    """Make sure that an address in clear text is still the server's, before the token goes there.

    This matters to targets with several addresses: the computer may have changed networks
    unnoticed. ``address``: by default the one in use. Raises Unasked if another server answers
    there, or none.
    """
    target = upstream.target
    address = address or target.at
    if len(target.addresses) == 1 or address.startswith("https://") or not target.server:
        return
    is_in_use = address == target.at
    if is_in_use and run.now() < upstream.confirmed_at + _CONFIRMED_SECONDS:
        return
    who = await run.world.helpers.run(Work.ASK, target.who_is_at, https.of(target), address)
    if who.words:
        raise Unasked(who.words, has_answered=False)
    if who.server != target.server:
        raise Unasked(f"{address} is another server now", has_answered=False)
    if is_in_use:
        upstream.confirmed_at = run.now()


class Asking:
    """One slot's questions that carry no photo."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._https = Https(run.world, run.sleep, _SECONDS)
        self.urls: dict[Target, str] = {}
        """The URL to which the last photo of each target was sent."""

    async def ask(self, upstream: Upstream) -> Health:
        """Ask the target a question, and use the address where it answers.

        Ask again if a sleep may have cost the answer.
        """
        run, target = self._run, upstream.target
        wakes = run.sleep.wakes
        is_one_of_many = len(target.addresses) > 1
        for _ in range(2):
            ask = self._find if is_one_of_many else self._ping
            health = await ask(upstream, self._https.of(target))
            if health.is_answered or not run.sleep.has_slept_since(wakes):
                break
        return health

    async def confirm(self, upstream: Upstream, address: str) -> None:
        """``confirm`` an address before a connection is made. Raises Stopped."""
        try:
            await confirm(self._run, upstream, self._https, address)
        except Unasked as unasked:
            raise Stopped(Fault.NOT_REACHED, str(unasked)) from unasked

    async def _ping(self, upstream: Upstream, http: Http) -> Health:
        world, target = self._run.world, upstream.target
        sent = await world.helpers.run(Work.ASK, target.ping, http, self.urls.get(target))
        health = health_of(sent, world.clock())
        return replace(health, words=target.masked(health.words))

    async def _find(self, upstream: Upstream, http: Http) -> Health:
        """Find the address that leads to the target's server, and use it from now on."""
        run, target = self._run, upstream.target
        found = await run.world.helpers.run(Work.ASK, target.find, http)
        for words in found.notes:
            if words not in upstream.notes:
                upstream.notes.add(words)
                self._tell(upstream, words)
        if not found.address:
            upstream.is_misled = found.is_wrong
            return Health(found.is_reached, False, found.words, is_answered=False)
        self._use(upstream, found)
        run.queue.changed.wake()
        for bell in (run.queue.to_ask, run.queue.to_place):
            bell.ring()
        return Health(True, True, "")

    def _use(self, upstream: Upstream, found: Found) -> None:
        run, target = self._run, upstream.target
        is_elsewhere = target.is_placed and target.at != found.address
        target.move_to(found.address)
        upstream.seeks = upstream.is_misled = False
        upstream.confirmed_at = run.now()
        if is_elsewhere:
            self._tell(upstream, f"goes on at {found.address}")
        if target.server != found.server:
            target.server = found.server
            if run.queue.is_present(upstream):
                run.commits.note(lambda journal: journal.server_is(target.name, found.server))

    def _tell(self, upstream: Upstream, words: str) -> None:
        world, name = self._run.world, upstream.target.name
        self._run.outcomes.tell(AddressNote(world.clock(), None, name, words))
