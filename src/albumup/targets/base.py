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
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from albumup.config.definition import fingerprint, kept
from albumup.config.file import OPTIONS, place_of
from albumup.config.settings import CommonSettings
from albumup.targets.answers import json_in, words_of
from albumup.targets.masking import mask_for
from albumup.targets.values import (
    AlbumGone as AlbumGone,
)
from albumup.targets.values import (
    Asked as Asked,
)
from albumup.targets.values import (
    Check as Check,
)
from albumup.targets.values import (
    Form as Form,
)
from albumup.targets.values import (
    NotAllowed as NotAllowed,
)
from albumup.targets.values import (
    Original as Original,
)
from albumup.targets.values import (
    Part as Part,
)
from albumup.targets.values import (
    Photo as Photo,
)
from albumup.targets.values import (
    Seen as Seen,
)
from albumup.targets.values import (
    ServerAlbum as ServerAlbum,
)
from albumup.targets.values import (
    ShareLink as ShareLink,
)
from albumup.targets.values import (
    Unasked as Unasked,
)
from albumup.targets.values import (
    Verdict as Verdict,
)
from albumup.targets.values import (
    VerdictKind as VerdictKind,
)
from albumup.transfer import Answer, Fault, Peer, Request, Sent

if TYPE_CHECKING:
    from albumup.transfer.http import Http


BUILT_IN = "built in"
"""Stands for the built-in inbox where others have a kind and a definition."""


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
        if url:
            return f"on {self.address}: {url}"
        return f"on {self.address} as {remote_id}" if remote_id else f"on {self.address}"

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
