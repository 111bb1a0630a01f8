"""The place of one upload."""

from __future__ import annotations

from dataclasses import dataclass, field

from albumup.journal.rows import Task
from albumup.transfer import Meter


@dataclass(slots=True, eq=False)
class Slot:
    """A place for one upload, with the photo that is being sent there, if any."""

    name: bytes = b""
    size: int = 0
    task_id: int = 0
    album_id: int = 0
    meter: Meter = field(default_factory=Meter)
    is_over: bool = False
    """The number of slots was reduced: nothing more is sent here."""

    def begin(self, task: Task) -> None:
        self.name, self.size = task.path, task.size
        self.task_id, self.album_id = task.id, task.album_id
        self.meter = Meter()
