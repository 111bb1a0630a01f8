"""The values that pass between the engine and the kinds of server: photos, forms, verdicts, answers
to questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from msgspec import Struct

from albumup.errors import ConfigError


class VerdictKind(StrEnum):
    """The meaning of an answer under the target's rules."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    """The server had the photo. This is proof even when it comes before the body's end."""
    REJECTED = "rejected"
    """The server will never take this photo as it is."""
    REFUSED = "refused"
    """The server refuses us: credentials, permission, quota."""
    UNPROVEN = "unproven"
    """No rule matches: the status decides."""


class Verdict(Struct, frozen=True):
    """A target's judgement of an answer.

    ``rule`` names the rule that decided, for ``target try``. ``takes_pages``: this target answers
    with HTML pages, so a page is no sign of a portal.
    """

    kind: VerdictKind
    rule: str
    reason: str = ""
    remote_id: str = ""
    url: str = ""
    takes_pages: bool = False
    drops_clip: bool = False
    """Not taken because this still's clip is gone from the server: send it without the clip."""
    is_down: bool = False
    """Not taken because the server says that it is down for a while: try later."""
    is_unconfirmed: bool = False
    """A duplicate in an unknown place: it counts only once ``ask`` has found it."""


class Photo(Struct, frozen=True):
    """The values that may fill a form.

    ``values`` holds every name of a template but ``token``; ``taken`` and ``modified`` only if the
    target's ``dates`` and ``times`` are true.
    """

    values: Mapping[str, object]
    mime: str
    digests: Mapping[str, str]
    clip_id: str = ""
    """For a live photo's still: the server's id of the clip."""
    sidecar: bytes | None = None
    """The content of the XMP file beside the photo."""
    sent_as: str = ""
    """The name under which the photo is sent, once it is known."""


@dataclass(frozen=True, slots=True)
class Part:
    """A small file sent with a photo, in a part of its own before the photo's."""

    field: str
    filename: str
    mime: str
    content: bytes


class Form(Struct, frozen=True):
    """The form of one photo. ``fields`` come first, then ``parts``, then the photo; ``file_field``
    None: a raw body.

    ``secret``: a field holds the token. Such a head is framed when it is sent, and never journaled.
    """

    fields: Sequence[tuple[str, str]]
    file_field: str | None
    filename: str
    mime: str
    secret: bool = False
    parts: Sequence[Part] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A photo to ask the server about: the name it was or would be sent as, its digests, its size
    in bytes."""

    name: str
    digests: Mapping[str, str]
    size: int = 0


@dataclass(frozen=True, slots=True)
class ServerAlbum:
    """An album on the server: its id there, and its address for its owner.

    ``photos``: the number that the server shows, without those in the trash; None if unknown.
    """

    id: str
    url: str
    photos: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ShareLink:
    """An album's link for people, and a remark about it, "" if there is none."""

    url: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of ``target check``: the name of the check, its result, and a text."""

    name: str
    ok: bool | None
    """None: this was not checked, and ``words`` say why."""
    words: str
    is_down: bool = False
    """The check failed because nobody answers: try later."""


class Original(StrEnum):
    """The state of the original of a photo that a server says it has."""

    READABLE = "readable"
    """The server shows the original, and its size is right."""
    BROKEN = "broken"
    """The server knows the photo, and has no original of it."""
    UNKNOWN = "unknown"
    """This kind of server, or this key, cannot show the original: ``Seen.words`` say what is
    missing."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The state of an original, and the reason in words for people."""

    original: Original
    words: str = ""


class Unasked(Exception):
    """There is no reliable answer; ask again later, after ``retry_after`` seconds if the server
    named a time.

    ``is_wrong_address``: this is the answer of a wrong address or a portal. ``has_answered``: there
    was an answer.
    """

    def __init__(
        self,
        words: str,
        retry_after: float | None = None,
        *,
        is_wrong_address: bool = False,
        has_answered: bool = True,
    ) -> None:
        super().__init__(words)
        self.retry_after = retry_after
        self.is_wrong_address = is_wrong_address
        self.has_answered = has_answered


class NotAllowed(ConfigError):
    """The key lacks a permission for a question that only reads. This never stops a target: photos
    still go."""


class AlbumGone(Exception):
    """The server no longer has the album."""
