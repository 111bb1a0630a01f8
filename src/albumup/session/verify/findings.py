"""The results of examining an album: levels of proof, a finding for each file, and the sum."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class There(IntEnum):
    """How well it is proven that the server has a photo; each level proves more than the one
    before."""

    NOTHING = 0
    ACCEPTED = 1
    """The server said so once, in its answer to the whole body."""
    HELD = 2
    """The server says so now, asked by digest: the photo is ours, and in no trash."""
    READABLE = 3
    """The original can be read there, with the right size; albumup's receiver read it again."""
    READ_BACK = 4
    """The original was downloaded, and its SHA-256 is equal."""

    @property
    def words(self) -> str:
        return "not sent" if self is There.NOTHING else self.name.lower().replace("_", " ")


@dataclass(slots=True)
class Copy:
    """The bytes of a photo that was sent, and how well they are proven on the server.

    ``why_not``: "" from READABLE on. ``here``: a file in the folders has these bytes now.
    ``is_damaged``: the server says that it has them, and shows none or others.
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
    """The kind of a file in the folders."""

    PROVEN = "proven"
    """A photo, read again here, with the bytes of one that is readable there."""
    UNPROVEN = "unproven"
    """A file that may be a photo, or cannot be read, and that nothing proves."""
    SIDECAR = "sidecar"
    """A photo editor's file that is not on the server as it is now."""
    SENT = "sent"
    """A sidecar that went along with its photo, and has not changed since."""
    MADE = "made"
    """A thumbnail or small copy that a camera made for a proven photo, or a NAS for any."""
    OTHER = "other"
    """A file that is no photo, and was not sent."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One file. ``words``: the reason, for UNPROVEN and SIDECAR; else the name it is counted by.
    ``size``: bytes."""

    kind: Kind
    path: bytes
    words: str = ""
    size: int = 0
    level: There = There.NOTHING
    is_new: bool = False
    """The file was not pushed to the album."""
    pattern: str = ""
    """The glob with which ``push --include`` takes the file; "" if push takes it anyhow."""


@dataclass(slots=True)
class Outcome:
    """The sum of an album. ``began``: Unix seconds."""

    began: float = field(default_factory=time.time)
    photos: int = 0
    """Photos of the album, without cancelled ones."""
    levels: Counter[There] = field(default_factory=Counter)
    """Level of proof on the server to the number of photos."""
    gone: int = 0
    """Photos whose bytes are no longer in the pushed folders."""
    lost: list[tuple[bytes, str]] = field(default_factory=list)
    """Path and reason of photos that are neither in the folders nor proven on the server."""
    proven: int = 0
    frees: int = 0
    """Bytes of the proven files."""
    unproven: int = 0
    from_memory: int = 0
    """Files that stayed in the page cache, so that they were perhaps not read from the disk."""
    made: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    bins: Counter[bytes] = field(default_factory=Counter)
    """Folders of deleted files, with the number of unproven photos in each."""
    sidecars: int = 0
    """Sidecars that were not sent, or have changed since."""
    stores: list[bytes] = field(default_factory=list)
    """The roots of receivers' stores in or around the pushed folders."""
    beside: str = ""
    """Why the server's copies are on this computer or in the pushed folder; "" if they are
    elsewhere."""

    @property
    def on_server(self) -> int:
        return sum(count for level, count in self.levels.items() if level >= There.READABLE)

    @property
    def is_safe(self) -> bool:
        """Is every file that may be a photo proven, and the copy elsewhere?"""
        return self.proven > 0 and self.unproven == 0 and not self.beside

    @property
    def is_erased(self) -> bool:
        """Is there nothing left here to erase?"""
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
