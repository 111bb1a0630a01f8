"""Takes over the instructions of other commands to a running uploader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from albumup.config.file import parse_rate
from albumup.journal import instructions, runs
from albumup.journal.instructions import Instruction, Kind
from albumup.journal.journal import Journal
from albumup.uploader.run import Run
from albumup.uploader.scope import Scope
from albumup.uploader.slot import Slot


class Instructed:
    """The instructions to one run. ``begin``: starts the uploads of a new slot."""

    def __init__(self, run: Run, scope: Scope, begin: Callable[[Slot], None]) -> None:
        self._run, self._scope, self._begin = run, scope, begin

    def look(self, journal: Journal) -> None:
        """Update the scope, and take over new instructions, inside one transaction.

        An album that is to stop was put on hold together with its instruction, so the scope knows.
        If the hold was lifted since, the later command counts.
        """
        self._scope.look(journal)
        new = instructions.unseen(journal, self._run.outcomes.run_id)
        for instruction in new:
            self._take_over(journal, instruction)
        instructions.note_seen(journal, new)

    def _take_over(self, journal: Journal, instruction: Instruction) -> None:
        one = instruction.album_id
        if instruction.kind is Kind.STOP_NOW:
            self._scope.on_hold.cut(self._run.queue.stopped if one is None else {one})
        elif instruction.kind is Kind.CHANGE:
            self._change(journal, instruction.value)

    def _change(self, journal: Journal, value: Mapping[str, Any]) -> None:
        """Go on with other options: ``limit_rate``, as it is typed, or ``jobs``."""
        run = self._run
        if "limit_rate" in value:
            run.limit.change(parse_rate(value["limit_rate"]))
        jobs = value.get("jobs", run.options.jobs)
        for upstream in self._scope.all_upstreams():
            # A target that had too many uploads at once keeps a smaller number.
            upstream.breaker.jobs = max(1, upstream.breaker.jobs + jobs - run.options.jobs)
        run.options = replace(run.options, jobs=jobs, shown={**run.options.shown, **value})
        for slot in run.queue.set_jobs(jobs):
            self._begin(slot)
        runs.note_options(journal, run.outcomes.run_id, run.options.shown)
        journal.after_commit(lambda: run.outcomes.tell_of_options(value))
