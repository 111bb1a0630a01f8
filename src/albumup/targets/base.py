"""What a target owes: the one interface between the engine and a kind of server.

A target describes its form, reads answers, and says what it can be asked. It never touches the journal or a socket: the
engine journals, :mod:`albumup.transfer` sends. One instance serves all uploads, so it keeps no state but what
``close`` ends. docs/adding-a-target.md walks through one.
"""

from __future__ import annotations

import base64
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct

from albumup.config.definition import fingerprint, kept
from albumup.config.file import OPTIONS, place_of
from albumup.config.settings import CommonSettings
from albumup.errors import ConfigError
from albumup.targets.answers import json_in, words_of
from albumup.targets.masking import mask_for
from albumup.transfer import Answer, Fault, Peer, Request, Sent

if TYPE_CHECKING:
    from albumup.transfer.http import Http


BUILT_IN = "built in"
"""Stands for the built-in inbox where others have a kind and a definition."""


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


class Target(ABC):
    """One configured server."""

    kind: ClassVar[str]
    settings_type: ClassVar[type[CommonSettings]]
    """What may stand in its table of the config."""
    can_ask: ClassVar[bool] = False
    """``ask`` works: what is in doubt can be asked about, and ``verify`` can prove what is there."""
    asks_first: ClassVar[bool] = False
    """Each photo is asked about before it is sent: what is there, or will not be taken, is not sent."""
    keeps_albums: ClassVar[bool] = False
    """Albums are things of their own there, to be found or made, and filled with what is stored."""
    can_share: ClassVar[bool] = False
    """``share_link`` works."""
    pairs_live: ClassVar[bool] = False
    """The still and the clip of a live photo go as one: the clip first, then the still with ``clip_id``."""
    lists_types: ClassVar[bool] = False
    """``suffixes`` works: the server says which files it takes."""
    takes_sidecars: ClassVar[bool] = False
    """XMP files go along with the photo they lie beside."""
    overwrites_by_name: ClassVar[bool] = True
    """The server may overwrite by name, so the names put into a folder there are made unique."""
    removal: ClassVar[str] = "delete it there, for albumup deletes nothing"
    """How a photo is removed that ``target try`` sent."""
    is_local: ClassVar[bool] = False
    """It is this computer, not a server: screens say "copied to", and nothing is ever safe to erase."""

    def __init__(self, name: str, settings: CommonSettings, token: str | None, where: str) -> None:
        self.name = name
        self.settings = settings
        self.token = token
        self.where = where
        """The config file and table, or the option, that defines it: named in what is said about it."""

    def key(self, *keys: str) -> str:
        """A key of its table in full, for messages."""
        return place_of(self.where, *keys)

    @property
    def title(self) -> str:
        """What screens call it: its name, or the URL of one that --url describes."""
        return self.settings.url if self.where == OPTIONS else self.name

    @property
    def address(self) -> str:
        """Where it is, for the screen: the host name, the URL of what --url describes, or a folder."""
        from urllib.parse import urlsplit

        if self.where == OPTIONS:
            return self.settings.url
        return urlsplit(self.settings.url or "").hostname or self.name

    @property
    def fingerprint(self) -> str:
        """Of its definition, all that goes into request and body: while it stays, bodies need not be framed anew."""
        return fingerprint(self.kind, self.settings)

    @property
    def kept(self) -> str:
        """Its definition as the journal keeps it; no token is in it."""
        return kept(self.kind, self.settings, self.where)

    @property
    def peer(self) -> Peer:
        return Peer(self.settings.timeout, self.settings.ca_file)

    def shares_folder(self, album: str) -> bool:  # noqa: ARG002 - albums are apart on most servers
        """The album lies in one folder with all others there, as far as can be told."""
        return False

    def puts_into(self, album: str) -> str:
        """What tells the folder that an album's photos are put into from others, on this server and elsewhere."""
        return json.dumps([self.kind, self.settings.url, album])

    @property
    def digests(self) -> Collection[str]:
        """The digests its form or its questions name; SHA-256 is always made."""
        return ("sha256",)

    @property
    def dates(self) -> bool:
        """True if its form names the capture date."""
        return False

    @property
    def times(self) -> bool:
        """True if its form may name the modification time: to work that out takes as long as all other values."""
        return True

    def authorization(self) -> list[tuple[str, str]]:
        """The headers that carry the token; never journaled, never shown."""
        auth = self.settings.auth or ("bearer" if self.token else "none")
        if auth == "none" or not self.token:
            return []
        if auth == "basic":
            pair = f"{self.settings.user or ''}:{self.token}".encode()
            return [("Authorization", "Basic " + base64.b64encode(pair).decode())]
        if auth.startswith("header:"):
            return [(auth.removeprefix("header:").strip(), self.token)]
        return [("Authorization", f"Bearer {self.token}")]

    def masked(self, text: str) -> str:
        """``text`` without the token, in whatever form a server may echo it (:mod:`albumup.targets.masking`).

        To be called before anything is cut off the text.
        """
        return self._mask.sub("********", text) if self.token else text

    @cached_property
    def _mask(self) -> re.Pattern[str]:
        return mask_for(self.token or "", self.authorization(), self.settings.user or "")

    def own_words(self, answer: Answer) -> str:
        """What the server, or a proxy in front of it, says for people, masked, on one line; "" if nothing."""
        return words_in(self.masked(words_of(answer, json_in(answer))))

    def success_keys(self, status: int) -> Collection[str]:  # noqa: ARG002 - most kinds know their server's answers
        """The keys of its table that would make an answer with this status a success: named when it is taken for a
        stranger's."""
        return ()

    def http(self, timeout: float | None = None) -> Http:
        """For requests that are not photos. ``timeout``: seconds of silence, if less than usual."""
        from albumup.transfer.http import Http

        peer = self.peer
        if timeout is not None:
            peer = replace(peer, timeout=min(timeout, peer.timeout))
        return Http(peer, self.authorization())

    def ping(self, http: Http, url: str | None) -> Sent:
        """Ask something without a photo: is anybody there? ``url``: where the last photo was sent, if one was."""
        if url is None:
            fixed, brace, _ = self.settings.url.partition("{")
            url = fixed.rpartition("/")[0] + "/" if brace else fixed
        return http.call("OPTIONS", url)

    def suffixes(self) -> Collection[str]:
        """The suffixes that the server says it takes, with their dots, in lower case; none where it does not say.

        It may be asked for them: a push meets a file that is neither a photo nor a video by our own table.
        """
        return ()

    @classmethod
    def recognises(cls, http: Http, url: str) -> str | None:  # noqa: ARG003 - most cannot tell
        """The address to write into the config, if a server of this kind answers at ``url``; asked without a token."""
        return None

    @classmethod
    def wants_token(cls, http: Http, url: str) -> bool:  # noqa: ARG003 - most do
        """Does a server of this kind at ``url`` want a token? Asked without one."""
        return True

    @abstractmethod
    def form(self, photo: Photo, filename: str) -> Form:
        """The form of a photo, sent as ``filename``. Raises ConfigError for a field that cannot be filled."""

    @abstractmethod
    def filename(self, photo: Photo) -> str:
        """The name it would like to send a photo as; the engine makes it safe and unique."""

    @abstractmethod
    def request(self, photo: Photo) -> Request:
        """Method, URL and headers to send a photo with."""

    def names_digest(self, photo: Photo) -> bool:  # noqa: ARG002 - most do not
        """Does a digest of the photo go before its bytes, so that the server may know it by that alone?"""
        return False

    @abstractmethod
    def read_answer(self, answer: Answer, photo: Photo) -> Verdict:
        """What an answer to a photo says. Pure."""

    @abstractmethod
    def check(self) -> list[Check]:
        """Prove URL, credentials and limits without uploading."""

    def ask(self, http: Http, album: str, photos: Sequence[Asked]) -> list[Verdict | None]:
        """Whether the server has these photos of an album, by their digests: STORED, or None for no.

        REJECTED where it will not take one, because of its type or because it is in its trash. Only where ``can_ask``.
        Raises Unasked when there is no answer to rely on, ConfigError when the server refuses us.
        """
        raise NotImplementedError

    def see(self, http: Http, album: str, photo: Asked, found: Verdict) -> Seen:  # noqa: ARG002 - most cannot
        """Look at the original of a photo that ``ask`` has ``found``: its first byte, its size. Raises as ``ask`` does.

        A "yes" after a doubt counts once this says READABLE.
        """
        return Seen(Original.UNKNOWN, f"{self.address} cannot show its originals")

    def read_back(self, http: Http, album: str, photo: Asked, found: Verdict) -> str:  # noqa: ARG002
        """The SHA-256 (lower-case hex) of a photo that ``ask`` has ``found``, downloaded or read again by the server.

        "" where this kind of server cannot show it. Raises as ``ask`` does.
        """
        return ""

    def keeps_in(self, http: Http, folder: bytes) -> bool:  # noqa: ARG002 - most do not say
        """Is ``folder``, the root of a receiver's store, where this server keeps what it is sent; or may it be?"""
        return False

    def find_album(self, http: Http, name: str, known_id: str | None) -> ServerAlbum | None:
        """The album of that id, if the server still has it, else the one of that name; None: there is none.

        Only where ``keeps_albums``. Raises as ``ask`` does; ConfigError, too, if several are called so.
        """
        raise NotImplementedError

    def make_album(self, http: Http, name: str) -> ServerAlbum:
        """A new album. Raises as ``ask`` does."""
        raise NotImplementedError

    def settle_on(self, http: Http, name: str, made: ServerAlbum) -> ServerAlbum:  # noqa: ARG002
        """The album that was just made, or the one of that name that another computer made at the same moment.

        All computers choose the same one. Raises as ``ask`` does.
        """
        return made

    def place(self, http: Http, album: ServerAlbum, photos: Sequence[str]) -> list[str]:
        """Put stored photos, by their ids, into an album; "" for each that is in it then, else why not.

        Raises as ``ask`` does; AlbumGone if the album is no more.
        """
        raise NotImplementedError

    def place_again(self, http: Http, album: ServerAlbum, photos: Sequence[str]) -> bool:
        """The same with photos that were put there before: was one of them not in it any more?"""
        self.place(http, album, photos)
        return True

    def join(self, http: Http, still: str, clip: str) -> str:  # noqa: ARG002 - most cannot
        """Make a live photo of two stored files, by their ids; "" when they are one, else why not. Raises as ``ask``.

        Only where ``pairs_live``: for a still that was sent while its clip had given up.
        """
        return f"{self.address} joins none that are there already"

    def share_link(self, http: Http, album: ServerAlbum) -> ShareLink:
        """The album's address for people: the link it has, or a new one. Raises as ``place`` does.

        What a server says of its address is no more than its word: an address that is none is not shown as one.
        """
        raise NotImplementedError

    def has_link(self, http: Http, url: str) -> bool:  # noqa: ARG002 - most cannot tell
        """Does a link that ``share_link`` gave still lead anywhere? Raises as ``ask`` does."""
        return True

    def where_tried(self, photo: Photo, remote_id: str, url: str) -> str:  # noqa: ARG002 - most have no folders
        """Where a photo is that ``target try`` sent, as in "look on HOST"; ``url``: its page, "" if unknown."""
        return f"on {self.address}" + (f": {url}" if url else f" as {remote_id}" if remote_id else "")

    def share(self, album: str) -> str:  # noqa: ARG002 - where there is no such thing
        """The album's address for people as the config has it; "" where it names none. Asks nobody."""
        return ""

    def close(self) -> None:  # noqa: B027 - most have nothing to end
        """End what the target started (the inbox's receiver)."""


_DOWN = frozenset({429, 500, 502, 503, 504, *range(520, 531)})
"""What a server, or the proxy in front of one, answers that is not well now and may be later."""


def checked(name: str, url: str, sent: Sent) -> Check:
    """What a request that needs no more than a 2xx came to."""
    if sent.answer is None:
        return Check(name, False, f"{url}: {sent.detail or sent.fault}", is_down=sent.fault is Fault.NOT_REACHED)
    status = sent.answer.status
    well = 200 <= status < 300 and not sent.answer.is_page
    page = " with an HTML page" if sent.answer.is_page else ""
    return Check(name, well, f"{url} answered {status} {sent.answer.reason}{page}", is_down=status in _DOWN)


def limit_of_proxy(answer: Answer | None) -> list[Check]:
    """What is known of the size that gets through to a server, by who says that it answers.

    Cloudflare takes 100 MB on its Free and Pro plans and answers 413 to more
    (developers.cloudflare.com/workers/platform/limits, "Request limits").
    """
    if answer is None or "cloudflare" not in answer.headers.get("server", "").lower():
        return []
    words = "Cloudflare stands before it: bodies over 100 MB do not get through (more only on its dearer plans)"
    return [Check("largest", None, f"{words}; send such files by an address that goes past it")]


def object_of(answer: Answer) -> dict[str, Any]:
    """The JSON object of an answer; empty if it is none, or cannot be read."""
    try:
        said = json.loads(answer.text or "")
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def words_in(text: str, most: int = 300) -> str:
    """What a server says, fit to be journaled: one line, no longer than ``most``."""
    return " ".join(text.split())[:most]


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
