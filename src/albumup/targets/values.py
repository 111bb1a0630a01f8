"""What goes between the engine and the kinds of server: photos and forms, verdicts and answers to questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from msgspec import Struct

from albumup.errors import ConfigError


class VerdictKind(StrEnum):
    """What an answer says under the target's rules."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    """It was there; also proof when it comes before the body's end."""
    REJECTED = "rejected"
    """It will never take this photo as it is."""
    REFUSED = "refused"
    """It refuses us: credentials, permission, quota."""
    UNPROVEN = "unproven"
    """No rule knows it: the status decides."""


class Verdict(Struct, frozen=True):
    """A target's reading of an answer. ``rule`` names what decided, for ``target try``; ``takes_pages`` says that an
    HTML page is what this target answers with, so that one is no sign of a portal."""

    kind: VerdictKind
    rule: str
    reason: str = ""
    remote_id: str = ""
    url: str = ""
    takes_pages: bool = False
    drops_clip: bool = False
    """Not taken because the clip of this still is not there any more: it is sent without."""
    is_down: bool = False
    """Not taken, because the server says that it is down for a while: for later."""
    is_unconfirmed: bool = False
    """A duplicate by the server's word, which does not say where: it counts once ``ask`` has found it."""


class Photo(Struct, frozen=True):
    """What a form may be filled with.

    ``values`` holds every name a template may use, but ``token``, and the ``taken`` and ``modified`` of a target whose
    ``dates`` and ``times`` are false.
    """

    values: Mapping[str, object]
    mime: str
    digests: Mapping[str, str]
    clip_id: str = ""
    """Of a live photo's still: what the server calls its clip."""
    sidecar: bytes | None = None
    """The XMP that lies beside it."""
    sent_as: str = ""
    """The name under which it is sent, once that is known."""


@dataclass(frozen=True, slots=True)
class Part:
    """A small file that goes along with a photo, in a part of its own before it."""

    field: str
    filename: str
    mime: str
    content: bytes


class Form(Struct, frozen=True):
    """The form of one photo. ``fields`` come first, then ``parts``, then the photo; ``file_field`` None: a raw body.

    ``secret`` says that a field holds the token: such a head is framed while sending and journaled nowhere.
    """

    fields: Sequence[tuple[str, str]]
    file_field: str | None
    filename: str
    mime: str
    secret: bool = False
    parts: Sequence[Part] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A photo that the server is asked about: the name it is or would be sent as, its digests and its size (bytes)."""

    name: str
    digests: Mapping[str, str]
    size: int = 0


@dataclass(frozen=True, slots=True)
class ServerAlbum:
    """An album on the server: its id there, and its address for its owner.

    ``photos``: how many it shows, without what is in a trash; None where that is not told.
    """

    id: str
    url: str
    photos: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ShareLink:
    """An album's link for people, and what is to be known of it; "" if nothing."""

    url: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of ``target check``: what was looked at, whether it is well, in words."""

    name: str
    ok: bool | None
    """None: it was not looked at, and why is in the words."""
    words: str
    is_down: bool = False
    """Not well because nobody answers: for later."""


class Original(StrEnum):
    """What came of looking for the original of a photo that a server says it has."""

    READABLE = "readable"
    """It answers there, with the right size."""
    BROKEN = "broken"
    """The server knows the photo, and has no original of it."""
    UNKNOWN = "unknown"
    """This kind of server, or this key, cannot show it: ``Seen.words`` say what is missing."""


@dataclass(frozen=True, slots=True)
class Seen:
    """``original`` and why, for people."""

    original: Original
    words: str = ""


class Unasked(Exception):
    """No answer to rely on; it is tried again later, after ``retry_after`` seconds if the server named a time.

    ``is_wrong_address``: what came is what a wrong address, or a portal, answers; ``has_answered``: something came.
    """

    def __init__(
        self, words: str, retry_after: float | None = None, *, is_wrong_address: bool = False, has_answered: bool = True
    ) -> None:
        super().__init__(words)
        self.retry_after = retry_after
        self.is_wrong_address = is_wrong_address
        self.has_answered = has_answered


class NotAllowed(ConfigError):
    """The key lacks a permission for a question that only reads. That never closes a target: photos still go."""


class AlbumGone(Exception):
    """The server does not have the album any more."""
