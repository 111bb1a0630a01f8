"""The line to the servers: how far, how fast, and what becomes of it. It outlives the program under
test."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from simulation.loop import SimulatedLoop


class Loss(StrEnum):
    """How a connection is lost."""

    RESET = "reset"
    """Both sides hear of it."""
    SILENCE = "silence"
    """Nothing arrives any more, and nobody is told."""


@dataclass
class Cut:
    """A connection is lost once ``after`` bytes of a request went up, or of its answer came down.
    ``lasts``: seconds of a stall, after which all goes on; None: it is lost for good."""

    up: bool
    after: float
    """A share of the request's bytes, or of the answer's."""
    loss: Loss
    lasts: float | None = None


@dataclass
class Line:
    """``latency``: seconds each way. ``buffer``: bytes that a client's kernel keeps; ``segment``:
    bytes that go at a time. ``tells``: the kernel says what was acknowledged (Linux)."""

    loop: SimulatedLoop
    chance: random.Random
    latency: float = 0.01
    buffer: int = 128 << 10
    segment: int = 16 << 10
    tells: bool = True
    down_until: float = 0.0
    """Until then nobody is reached."""
    how_down: str = "refused"
    cuts: dict[int, Cut] = field(default_factory=dict)
    """By the number of the request, over all connections."""
    connects: dict[int, str] = field(default_factory=dict)
    """What becomes of a connecting, by its number: ``refused``, ``unknown host``, ``no network``,
    ``hangs``, ``connects slowly``."""
    on_cut: Callable[[int], None] = lambda _: None
    on_connect: Callable[[int], None] = lambda _: None
    away: dict[str, float] = field(default_factory=dict)
    """Hosts that are not reached, and until when."""
    connected: int = 0
    requests: int = 0
    last_heard: float = 0.0
    """When something last came to the program: an answer, an acknowledgement, what a helper did."""

    @property
    def is_down(self) -> bool:
        return self.loop.time() < self.down_until

    def is_away(self, host: str) -> bool:
        return self.loop.time() < self.away.get(host, 0.0)

    def delay(self) -> float:
        """Seconds that a segment is on its way."""
        return self.latency * (0.5 + self.chance.random())

    def how_to_connect(self) -> str:
        """What becomes of the next connecting: "" if all is well."""
        self.connected += 1
        if self.is_down:
            return self.how_down
        how = self.connects.get(self.connected, "")
        if how:
            self.on_connect(self.connected)
        return how
