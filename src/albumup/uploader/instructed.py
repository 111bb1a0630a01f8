"""Takes over what other commands want of a run that is on."""

from __future__ import annotations

from albumup.journal import instructions
from albumup.journal.instructions import Instruction, Kind
from albumup.journal.journal import Journal
from albumup.uploader.run import Run
from albumup.uploader.scope import Scope


class Instructed:
    """The instructions of one run."""

    def __init__(self, run: Run, scope: Scope) -> None:
        self._run, self._scope = run, scope

    def look(self, journal: Journal) -> None:
        """Update the scope, and take over new instructions, inside one transaction.

        An album that is to stop was put on hold with its instruction, so the scope knows. If its
        hold was lifted since, the later word counts.
        """
        self._scope.look(journal)
        new = instructions.unseen(journal, self._run.outcomes.run_id)
        for instruction in new:
            self._take_over(instruction)
        instructions.note_seen(journal, new)

    def _take_over(self, instruction: Instruction) -> None:
        if instruction.kind is Kind.STOP_NOW:
            one = instruction.album_id
            self._scope.on_hold.cut(self._run.queue.stopped if one is None else {one})
