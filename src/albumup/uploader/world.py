"""What a run takes from outside: helpers, the network, the clock and chance, so that a whole run can be played."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from albumup.helpers import Helpers, Threads
from albumup.targets.base import Target
from albumup.transfer.wire import Network, SocketNetwork

if TYPE_CHECKING:
    from albumup.transfer.http import Http


def _http(target: Target, timeout: float | None) -> Http:
    return target.http(timeout)


@dataclass(frozen=True, slots=True)
class World:
    """``clock``: Unix seconds. ``chance``: a number in [0, 1). ``http``: a target's small requests, with the seconds
    of silence that they bear, if less than usual. Monotonic time is the loop's."""

    helpers: Helpers
    network: Network
    clock: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random
    http: Callable[[Target, float | None], Http] = _http


def this_world() -> World:
    """Threads, sockets, and the computer's clock; within a running loop."""
    helpers = Threads()
    return World(helpers, SocketNetwork(helpers))
