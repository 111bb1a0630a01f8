"""``--limit-rate``: one rate for all uploads together, by a timetable in local time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from albumup.config.file import Timetable

_BLOCKS_A_SECOND = 20
_LEAST_BLOCK = 1 << 10
_MOST_BLOCK = 256 << 10


class RateLimit:
    """Shares a rate (bytes a second) between uploads; a :class:`albumup.transfer.Throttle`."""

    def __init__(
        self,
        timetable: Timetable | None,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        local_time: Callable[[], datetime] = datetime.now,
    ) -> None:
        """``timetable`` None: there is no limit. ``clock``: seconds, by default the running loop's;
        ``local_time``: for the timetable."""
        self._timetable = timetable
        self._clock = clock or _loop_time
        self._sleep = sleep
        self._local_time = local_time
        self._free_at = float("-inf")
        self._sleeping: dict[asyncio.Future[object], None] = {}
        """The waits of uploads whose turn has not come, in their order."""

    def change(self, timetable: Timetable | None) -> None:
        """Share another rate from now on, also between those that wait for their turn."""
        self._timetable = timetable
        self._free_at = float("-inf")
        for sleeping in self._sleeping:
            sleeping.cancel()

    def rate(self) -> int | None:
        """Bytes a second at this time of day; None while there is no limit."""
        return None if self._timetable is None else self._timetable.at(self._local_time())

    def block(self) -> int:
        """Bytes to send at a time, few enough for a smooth rate and a prompt cut; 0 while there is
        no limit."""
        rate = self.rate()
        return 0 if rate is None else max(_LEAST_BLOCK, min(_MOST_BLOCK, rate // _BLOCKS_A_SECOND))

    async def take(self, size: int) -> None:
        """Sleep until ``size`` bytes may be sent, first come, first served; nothing is saved up."""
        while (rate := self.rate()) is not None:
            now = self._clock()
            start = max(self._free_at, now)
            self._free_at = start + size / rate
            if start <= now or await self._has_slept(start - now):
                return

    async def _has_slept(self, seconds: float) -> bool:
        """Sleep; False if the rate was changed meanwhile."""
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        self._sleeping[sleeping] = None
        try:
            await asyncio.wait([sleeping])
        finally:
            self._sleeping.pop(sleeping, None)
            sleeping.cancel()
        return not sleeping.cancelled()


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
