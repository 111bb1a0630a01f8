"""What a server truly holds, and what it was sent: the laws are checked against this, never against
its answers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Copy:
    """A photo in the server's store. ``request`` is the number of the request that brought it."""

    sha256: str
    album: str
    name: str
    request: int
    at: float
    gone_at: float | None = None
    """When the server deleted it again."""


@dataclass
class Came:
    """One photo request: what came of it on the server. ``boundary`` names the body.

    It was the ``nth`` on its ``wire``.
    """

    number: int
    boundary: str
    began: float
    wire: int = 0
    nth: int = 0
    sha256: str = ""
    ended: float | None = None
    """When its last byte had arrived."""
    answer: str = ""
    """What was answered, as the trace tells it."""
    sick_for: float = 0.0
    """So long the server went on to be sick, questions and all, once the body had come."""


@dataclass
class Asked:
    """A question that was answered honestly: the digests of what was ``not_there``."""

    at: float
    not_there: frozenset[str]


@dataclass
class Ledger:
    """The store of one server, and what it was sent and asked, in order."""

    copies: list[Copy] = field(default_factory=list)
    came: list[Came] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def came_as(self, number: int) -> Came:
        """A photo request, by its number."""
        return self.came[number - 1]

    def holds(self, sha256: str) -> bool:
        return any(copy.sha256 == sha256 and copy.gone_at is None for copy in self.copies)

    def held_once(self, sha256: str) -> bool:
        """Did it ever hold these bytes?"""
        return any(copy.sha256 == sha256 for copy in self.copies)

    def count(self, sha256: str) -> int:
        return sum(copy.sha256 == sha256 and copy.gone_at is None for copy in self.copies)

    def whole(self, sha256: str) -> int:
        """How many whole bodies with these bytes have come."""
        return sum(one.sha256 == sha256 and one.ended is not None for one in self.came)
