"""What a look at an album came to: levels of proof, what is said of each file, and the sum."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class There(IntEnum):
    """How well it is proven that the server has a photo; each level is more than those before."""

    NOTHING = 0
    ACCEPTED = 1
    """It answered so to the whole body, once."""
    HELD = 2
    """Asked now, by digest: it is ours, and in no trash."""
    READABLE = 3
    """The original answers there, with its size; a receiver of ours has read it again."""
    READ_BACK = 4
    """Downloaded, with an equal SHA-256."""

    @property
    def words(self) -> str:
        return "not sent" if self is There.NOTHING else self.name.lower().replace("_", " ")


@dataclass(slots=True)
class Copy:
    """Bytes that were sent. ``why_not`` is "" from READABLE on; ``here``: they were read in the folder now.

    ``is_damaged``: the server has them, by its word, and shows none or others.
    """

    size: int
    level: There = There.ACCEPTED
    why_not: str = ""
    here: bool = False
    is_damaged: bool = False

    @property
    def is_proven(self) -> bool:
        return self.level >= There.READABLE


class Kind(StrEnum):
    """What a file in the folder is found to be."""

    PROVEN = "proven"
    """Read again here, it has the bytes of a photo that is readable there."""
    UNPROVEN = "unproven"
    """It may be a photo, or cannot be read, and nothing proves it."""
    SIDECAR = "sidecar"
    """What a photo editor wrote, and is not on the server as it is now."""
    SENT = "sent"
    """A sidecar that went along with its photo, and has not changed since."""
    MADE = "made"
    """By a camera for a photo that is proven, or by a NAS: thumbnails, low resolution copies."""
    OTHER = "other"
    """No photo, and not sent."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One file. ``words``: why not, for UNPROVEN and SIDECAR; else how it is counted, by suffix. ``size`` in bytes."""

    kind: Kind
    path: bytes
    words: str = ""
    size: int = 0
    level: There = There.NOTHING
    is_new: bool = False
    """It was not pushed to the album; ``pattern`` is what ``--include`` has to say, "" where push takes it anyhow."""
    pattern: str = ""


@dataclass(slots=True)
class Outcome:
    """The sum of an album. ``began``: Unix seconds."""

    began: float = field(default_factory=time.time)
    photos: int = 0
    """Of the album, but for those that were cancelled."""
    levels: Counter[There] = field(default_factory=Counter)
    """Photos by how well they are proven on the server."""
    gone: int = 0
    """Photos whose bytes do not lie in the folders that were pushed now."""
    lost: list[tuple[bytes, str]] = field(default_factory=list)
    """Those of them that are not proven on the server either, and why."""
    proven: int = 0
    frees: int = 0
    """Bytes of what is proven."""
    unproven: int = 0
    from_memory: int = 0
    """Files that the system did not let go of, and so were not seen to come from a disk."""
    made: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    bins: Counter[bytes] = field(default_factory=Counter)
    """Folders of deleted files, with the unproven photos in them."""
    sidecars: int = 0
    """That were not sent, or have changed since."""
    stores: list[bytes] = field(default_factory=list)
    """Roots of receivers' stores in, or around, the folders that were pushed."""
    beside: str = ""
    """Why the copy is no second one: it is on this computer, or in the pushed folder itself."""

    @property
    def on_server(self) -> int:
        return sum(count for level, count in self.levels.items() if level >= There.READABLE)

    @property
    def is_safe(self) -> bool:
        """Is all that lies in the folder proven, and the copy elsewhere?"""
        return self.proven > 0 and self.unproven == 0 and not self.beside

    @property
    def is_erased(self) -> bool:
        """Is nothing left here to be erased?"""
        return self.proven == self.unproven == 0

    def note(self, finding: Finding) -> None:
        match finding.kind:
            case Kind.PROVEN:
                self.proven += 1
                self.frees += finding.size
            case Kind.UNPROVEN:
                self.unproven += 1
            case Kind.SIDECAR:
                self.sidecars += 1
            case Kind.MADE:
                self.made[finding.words] += 1
            case Kind.OTHER:
                self.others[finding.words] += 1

    def sum_up(self, copies: Sequence[tuple[bytes, Copy]]) -> None:
        """Count the photos of the album, each with its path."""
        for path, copy in copies:
            self.photos += 1
            self.levels[copy.level] += 1
            if not copy.here:
                self.gone += 1
                if not copy.is_proven:
                    self.lost.append((path, copy.why_not))
