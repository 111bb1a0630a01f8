"""Chance, a stream for each actor, all from one seed: an actor that draws more changes nothing for
the others."""

from __future__ import annotations

import random


class Chance:
    """The streams of one story."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, random.Random] = {}

    def of(self, actor: str) -> random.Random:
        """An actor's own stream: ``loop``, ``server``, ``line``, ``files``, ``person``, ``engine``,
        ``helpers``."""
        if actor not in self._streams:
            self._streams[actor] = random.Random(f"{self.seed} {actor}")
        return self._streams[actor]
