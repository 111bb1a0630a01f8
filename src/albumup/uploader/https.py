"""Keeps the connections for small requests to targets, and renews them after a sleep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from albumup.targets.base import Target
from albumup.uploader.sleep import SleepWatch
from albumup.uploader.world import World

if TYPE_CHECKING:
    from albumup.transfer.http import Http


class Https:
    """An ``Http`` for each target. ``timeout``: seconds, if shorter than the target's own."""

    def __init__(self, world: World, sleep: SleepWatch, timeout: float | None = None) -> None:
        self._world, self._sleep, self._timeout = world, sleep, timeout
        self._sleeps = sleep.count
        self._made: dict[Target, Http] = {}

    def of(self, target: Target) -> Http:
        """The target's ``Http``; its connections are newer than the last sleep."""
        if self._sleeps != self._sleep.count:
            self._sleeps = self._sleep.count
            self._made.clear()
        http = self._made.get(target)
        if http is None:
            http = self._made[target] = self._world.http(target, self._timeout)
        return http
