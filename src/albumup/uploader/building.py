"""Builds the targets of a run aside: a ``token_command`` may take a minute, and nobody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

from albumup.errors import AlbumupError
from albumup.helpers import Work
from albumup.journal import framing, runs
from albumup.journal.journal import Journal
from albumup.targets.base import Target
from albumup.uploader.run import Run
from albumup.uploader.upstream import Closing

Definition = tuple[str | None, int | None]
"""A target's definition by ``--url``, if it has one, and the number of its last definition."""


class Building:
    """The targets of one run that are being built, those that are built and not in use yet, and
    those that cannot be built."""

    def __init__(self, run: Run, build: Callable[[str], Target]) -> None:
        self.unbuilt: dict[str, Closing] = {}
        self._run = run
        self._build = build
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._built: dict[str, Target] = {}
        self._of: dict[str, Definition] = {}
        """The definitions by which targets are or were built."""
        self._outdated: set[str] = set()
        """Targets under way that were redefined meanwhile."""

    def begin(self, journal: Journal, names: Iterable[str]) -> None:
        """Begin to build these targets; each is built once at a time."""
        for name in sorted(set(names)):
            if name in self._under_way or name in self._built or name in self.unbuilt:
                continue
            self._of[name] = _definitions(journal, name)
            self._under_way[name] = asyncio.create_task(self._work(name))

    async def rest(self, names: Collection[str], seconds: float) -> None:
        """Wait until none of these targets is under way, or the run ends, but no longer than
        ``seconds``."""
        run, until = self._run, self._run.now() + seconds
        while not self._under_way.keys().isdisjoint(names) and run.stop is None:
            if run.fault is not None or run.now() >= until:
                return
            await run.queue.to_end.wait(until - run.now())

    def take(self, name: str) -> Target | None:
        """A target that is built, to be used from now on; None if it is not."""
        return self._built.pop(name, None)

    def renew(self, journal: Journal) -> None:
        """Drop the targets that were redefined since their building began."""
        for name, before in list(self._of.items()):
            now = _definitions(journal, name)
            if now == before:
                continue
            if name in self._under_way:
                self._outdated.add(name)
            elif name in self._built:
                self._built.pop(name).close()
            if now[0] != before[0]:
                self.unbuilt.pop(name, None)

    async def close(self) -> None:
        """Leave what is under way to itself, and close the targets that nobody uses."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for target in self._built.values():
            target.close()

    async def _work(self, name: str) -> None:
        run = self._run
        try:
            target = await run.world.helpers.run(Work.BUILD, self._build, name)
        except AlbumupError as error:
            if name not in self._outdated:
                self.unbuilt[name] = Closing(error.exit_code, str(error), error.hint)
        except Exception as error:  # noqa: BLE001 - any other error ends the run
            run.fail(error)
        else:
            if name in self._outdated:
                target.close()
            else:
                self._built[name] = target
        finally:
            self._outdated.discard(name)
            del self._under_way[name]
            run.queue.to_end.ring()


def _definitions(journal: Journal, name: str) -> Definition:
    return runs.target_definitions(journal).get(name), framing.numbers(journal).get(name)
