"""The outside of a run: helpers, network, clock and chance, handed in so that a whole run can be
simulated."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from albumup.helpers import Helpers, Threads
from albumup.targets.base import Target
from albumup.transfer.wire import Network, SocketNetwork
from albumup.uploader.permission import ask
from albumup.uploader.sleep import seconds_asleep

if TYPE_CHECKING:
    from albumup.transfer.http import Http


def _http(target: Target, timeout: float | None) -> Http:
    return target.http(timeout)


@dataclass(frozen=True, slots=True)
class World:
    """The outside of a run.

    ``clock``: Unix seconds. ``chance``: a number in [0, 1). ``http``: an ``Http`` for a target's
    small requests, with a timeout in seconds if shorter than usual. ``asleep``: the seconds for
    which the computer has slept. ``may_run`` asks a command as ``permission.ask`` does. Monotonic
    time is the loop's.
    """

    helpers: Helpers
    network: Network
    clock: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random
    http: Callable[[Target, float | None], Http] = _http
    asleep: Callable[[], float] = seconds_asleep
    may_run: Callable[[Sequence[str], Callable[[], bool]], str] = ask


def this_world() -> World:
    """The real world: threads, sockets, and the computer's clock. Call it within a running loop."""
    helpers = Threads()
    return World(helpers, SocketNetwork(helpers))
