"""The state that the parts of one run share: options, world, commits, queue, and an early end."""

from __future__ import annotations

import asyncio
import os
import traceback
from functools import partial

from albumup.errors import AlbumupError, LocalError, TryLater
from albumup.helpers import Work
from albumup.journal.commits import Commits
from albumup.journal.journal import Journal
from albumup.photos.source import no_more_files
from albumup.uploader.causes import Causes
from albumup.uploader.events import Listener
from albumup.uploader.former import Formers, Rebuild
from albumup.uploader.judge import Judge
from albumup.uploader.limits import RateLimit
from albumup.uploader.opener import Opener
from albumup.uploader.options import Options, Stop
from albumup.uploader.origins import Origins
from albumup.uploader.outcomes import Outcomes
from albumup.uploader.queue import Queue
from albumup.uploader.sleep import SleepWatch
from albumup.uploader.spooling import drop_copies, is_away
from albumup.uploader.world import World


class Run:
    """One run. Made within the running loop, and used by its thread alone."""

    def __init__(
        self, journal: Journal, options: Options, listener: Listener, world: World, rebuild: Rebuild
    ) -> None:
        self.now = asyncio.get_running_loop().time
        """Monotonic seconds."""
        self.sleep = SleepWatch(self.now, world.asleep)
        self.options = options
        self.world = world
        self.commits = Commits(journal, world.helpers)
        self.limit = RateLimit(options.limit)
        self.queue = Queue(self.commits, options.jobs, world, self.now)
        self.origins = Origins(self.commits, self.queue, world.helpers)
        self.causes = causes = Causes(self.queue, options, listener)
        self.judge = Judge(self.queue, self.commits, world, self._awake, causes)
        self.outcomes = Outcomes(self.queue, self.judge, causes, listener, world.clock)
        self.opener = Opener(world.helpers)
        self.formers = Formers(rebuild)
        self.is_preparing = True
        """The preparer has work, or has not looked yet."""
        self.asking: set[int] = set()
        """Albums about whose doubts a question is under way."""
        self._emptied: set[str] = set()
        """Folders from which this run has removed copies."""
        self.stop: Stop | None = None
        self.fault: AlbumupError | None = None

    def _awake(self) -> float:
        """Monotonic seconds, once a sleep just now was noticed: patience must not count it."""
        self.sleep.look()
        return self.now()

    def fail(self, error: BaseException) -> None:
        """End the run, as this machine or this program fails: nothing new starts, uploads in flight
        are cut, free."""
        self.fault = self.fault or _fault_of(error)
        self.queue.cut_all()
        self.queue.no_more()

    async def ends_without_spool(self, copy: str) -> bool:
        """After a copy could not be opened: if its whole folder is away, end the run with a
        message; True then."""
        folder = os.path.dirname(copy)
        why = await self.world.helpers.run(
            Work.LOOK, partial(is_away, copy, may_be_empty=folder in self._emptied)
        )
        if why:
            words = f"{folder}: {why}; copies of photos are to be there"
            self.fail(TryLater(words, "Bring back its disk, then: albumup resume"))
        return bool(why)

    def drop_copy(self, copy: str) -> None:
        """Remove the copy of a photo that the server has."""
        copy = os.path.join(self.options.spool_folder, copy)
        if drop_copies([copy], self.options.spool_folder):
            self._emptied.add(os.path.dirname(copy))

    def is_sending(self) -> bool:
        """Is anything being read, asked about or sent that will soon go into an album?"""
        upstreams = self.queue.upstreams.values()
        is_reserved = any(upstream.reserved and upstream.closing is None for upstream in upstreams)
        return self.is_preparing or bool(self.asking) or is_reserved or self.queue.is_busy()


def _fault_of(error: BaseException) -> AlbumupError:
    """An error with a message for the user."""
    if isinstance(error, AlbumupError):
        return error
    if (known := no_more_files(error)) is not None:
        return known
    where = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" ({os.path.basename(where[0].filename)}:{where[0].lineno})" if where else ""
    return LocalError(
        f"a fault of albumup itself: {type(error).__name__}: {error}{place}",
        "everything unsent waits; go on with: albumup resume",
    )
