"""The interface between the engine and a kind of server.

A target describes its form, reads answers, and says which questions its server answers. It never
touches the journal or a socket: the engine journals, :mod:`albumup.transfer` sends. One instance
serves all uploads, so its only state is what ``close`` ends. docs/adding-a-target.md walks through
an example.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, ClassVar

from albumup.config.definition import fingerprint, kept
from albumup.config.file import OPTIONS, place_of
from albumup.config.settings import CommonSettings
from albumup.config.shown_address import MASK, identity_of, shown_address
from albumup.targets.addresses import Found, Who, find
from albumup.targets.answers import json_in, words_in, words_of
from albumup.targets.masking import mask_of
from albumup.targets.values import (
    AlbumGone,
    Asked,
    Check,
    Form,
    NotAllowed,
    Original,
    Part,
    Photo,
    Seen,
    ServerAlbum,
    ShareLink,
    Unasked,
    Verdict,
    VerdictKind,
)
from albumup.transfer import Answer, Peer, Request, Sent

if TYPE_CHECKING:
    from albumup.transfer.http import Http

__all__ = [
    "BUILT_IN",
    "AlbumGone",
    "Asked",
    "Check",
    "Form",
    "NotAllowed",
    "Original",
    "Part",
    "Photo",
    "Seen",
    "ServerAlbum",
    "ShareLink",
    "Target",
    "Unasked",
    "Verdict",
    "VerdictKind",
]

BUILT_IN = "built in"
"""The built-in inbox's stand-in for a kind and a fingerprint."""


class Target(ABC):
    """One configured server."""

    kind: ClassVar[str]
    settings_type: ClassVar[type[CommonSettings]]
    """The keys of its table in the config."""
    can_ask: ClassVar[bool] = False
    """``ask`` works: doubts are settled by asking, and ``verify`` can prove what is there."""
    asks_first: ClassVar[bool] = False
    """The server is asked about each photo first, and not sent those it has or will not take."""
    keeps_albums: ClassVar[bool] = False
    """Albums are objects on the server: found or made, then stored photos are put into them."""
    can_share: ClassVar[bool] = False
    """``share_link`` works."""
    pairs_live: ClassVar[bool] = False
    """Live photos are sent as pairs: the clip first, then the still with ``clip_id``."""
    lists_types: ClassVar[bool] = False
    """``suffixes`` works: the server says which files it takes."""
    takes_sidecars: ClassVar[bool] = False
    """A photo is sent together with the XMP file beside it."""
    overwrites_by_name: ClassVar[bool] = True
    """The server may overwrite by name, so the names sent into one folder are made unique."""
    removal: ClassVar[str] = "delete it there, for albumup deletes nothing"
    """How to remove a photo that ``target try`` sent."""
    is_local: ClassVar[bool] = False
    """The target is this computer: screens say "copied to", and nothing is ever safe to erase."""

    def __init__(self, name: str, settings: CommonSettings, token: str | None, where: str) -> None:
        self.name = name
        self.settings = settings
        self.token = token
        self.where = where
        """The config file and table, or the option, that defines the target: messages name it."""
        self.at = settings.url
        """The address in use."""
        self.server = ""
        """By what the server is known that several addresses lead to; "" if it is not known yet."""
        self.is_placed = not settings.also
        """It is known which address to use."""
        self._finds = threading.Lock()

    def key(self, *keys: str) -> str:
        """The full name of a key in the target's table, for messages."""
        return place_of(self.where, *keys)

    @property
    def title(self) -> str:
        """The target's name on screens: its name, or its URL if --url defines it."""
        return shown_address(self.settings.url) if self.where == OPTIONS else self.name

    @property
    def address(self) -> str:
        """The target's place, for screens: a host name, the URL if --url defines it, or a folder;
        the target's name while it is not known at which of its addresses it is."""
        from urllib.parse import urlsplit

        if self.where == OPTIONS:
            return self.title
        host = urlsplit(self.at or "").hostname if self.is_placed else ""
        return host or self.name

    @property
    def addresses(self) -> Sequence[str]:
        """All addresses of the server, the preferred one first."""
        return (self.settings.url, *self.settings.also)

    def who_is_at(self, http: Http, address: str) -> Who:
        """Ask who answers at an address, without the token. Only where addresses can be several."""
        raise NotImplementedError

    def find(self, http: Http) -> Found:
        """Look which address leads to the server now. Changes nothing: ``move_to`` does."""
        return find(self.addresses, self.server, partial(self.who_is_at, http))

    def move_to(self, address: str) -> None:
        """Use this one of the addresses from now on."""
        self.at, self.is_placed = address, True

    def place_itself(self, http: Http) -> None:
        """Find and use an address, where none is in use yet. Raises Unasked."""
        if self.is_placed:
            return
        with self._finds:
            if self.is_placed:
                return
            found = self.find(http)
            if not found.address:
                wrong = found.is_wrong
                raise Unasked(found.words, is_wrong_address=wrong, has_answered=found.is_reached)
            self.server = found.server
            self.move_to(found.address)

    @property
    def fingerprint(self) -> str:
        """A digest of all settings that go into request and body: while it is the same, framed
        bodies stay valid."""
        return fingerprint(self.kind, self.settings)

    @property
    def kept(self) -> str:
        """The definition as the journal keeps it, without the token."""
        return kept(self.kind, self.settings, self.where)

    @property
    def peer(self) -> Peer:
        return Peer(self.settings.timeout, self.settings.ca_file)

    def shares_folder(self, album: str) -> bool:  # noqa: ARG002 - albums are apart on most servers
        """True if this album and all others seem to share one folder on the server."""
        return False

    def puts_into(self, album: str) -> str:
        """A key that identifies the folder of an album's photos, among all folders on all
        servers."""
        return json.dumps([self.kind, identity_of(self.settings.url), album])

    @property
    def digests(self) -> Collection[str]:
        """The digests that the form or the questions need; SHA-256 is always computed."""
        return ("sha256",)

    @property
    def dates(self) -> bool:
        """True if the form names the capture date."""
        return False

    @property
    def times(self) -> bool:
        """True if the form may name the modification time, which takes as long to compute as all
        other values."""
        return True

    def authorization(self) -> list[tuple[str, str]]:
        """The headers that carry the token; they are never journaled or shown."""
        auth = self.settings.auth or ("bearer" if self.token else "none")
        if auth == "none" or not self.token:
            return []
        if auth == "basic":
            pair = f"{self.settings.user or ''}:{self.token}".encode()
            return [("Authorization", "Basic " + base64.b64encode(pair).decode())]
        if auth.startswith("header:"):
            return [(auth.removeprefix("header:").strip(), self.token)]
        return [("Authorization", f"Bearer {self.token}")]

    @property
    def has_secrets(self) -> bool:
        """There is something to mask."""
        return self._mask is not None

    def masked(self, text: str) -> str:
        """Mask the token and the secrets of addresses in ``text``, however a server may echo them
        (:mod:`albumup.targets.masking`). Call this before cutting the text."""
        return self._mask.sub(MASK, text) if self._mask is not None else text

    @cached_property
    def _mask(self) -> re.Pattern[str] | None:
        return mask_of(self.settings, self.token or "", self.authorization())

    def own_words(self, answer: Answer) -> str:
        """The message of the server, or of a proxy in front of it, masked, on one line; "" if there
        is none."""
        return words_in(self.masked(words_of(answer, json_in(answer))))

    def success_keys(self, status: int) -> Collection[str]:  # noqa: ARG002 - most kinds know their server's answers
        """The config keys that could make an answer with this status a success, for the message
        that rejects it."""
        return ()

    def http(self, timeout: float | None = None) -> Http:
        """An ``Http`` for requests other than photos. ``timeout``: seconds of silence, if shorter
        than usual."""
        from albumup.transfer.http import Http

        peer = self.peer
        if timeout is not None:
            peer = replace(peer, timeout=min(timeout, peer.timeout))
        return Http(peer, self.authorization())

    def ping(self, http: Http, url: str | None) -> Sent:
        """Ask whether the server is there, without a photo. ``url``: where the last photo was sent,
        if one was."""
        if url is None:
            fixed, brace, _ = self.settings.url.partition("{")
            url = fixed.rpartition("/")[0] + "/" if brace else fixed
        return http.call("OPTIONS", url)

    def suffixes(self) -> Collection[str]:
        """The suffixes that the server takes, with dots, in lower case; none where the server does
        not say.

        May ask the server. Called when a push meets a file that is no photo or video by our own
        table.
        """
        return ()

    @classmethod
    def recognises(cls, http: Http, url: str) -> str | None:  # noqa: ARG003 - most cannot tell
        """The address to write into the config if a server of this kind answers at ``url``; needs
        no token."""
        return None

    @classmethod
    def wants_token(cls, http: Http, url: str) -> bool:  # noqa: ARG003 - most do
        """Does the server of this kind at ``url`` want a token? Needs no token."""
        return True

    @abstractmethod
    def form(self, photo: Photo, filename: str) -> Form:
        """The form of a photo, sent as ``filename``. Raises ConfigError for a field that cannot be
        filled."""

    @abstractmethod
    def filename(self, photo: Photo) -> str:
        """The file name to send for a photo; the engine makes it safe and unique."""

    @abstractmethod
    def request(self, photo: Photo) -> Request:
        """Method, URL and headers of the request that carries a photo."""

    def names_digest(self, photo: Photo) -> bool:  # noqa: ARG002 - most do not
        """Is a digest sent before the photo's bytes, so that the server may know it early?"""
        return False

    @abstractmethod
    def read_answer(self, answer: Answer, photo: Photo) -> Verdict:
        """Judge an answer to a photo. A pure function."""

    @abstractmethod
    def check(self) -> list[Check]:
        """Check URL, credentials and limits without uploading."""

    def ask(self, http: Http, album: str, photos: Sequence[Asked]) -> list[Verdict | None]:
        """Ask by digest whether the server has these photos of an album: STORED, or None for no.

        REJECTED if the server will not take a photo, for its type or because it is in the trash.
        Only where ``can_ask``. Raises Unasked without a reliable answer, ConfigError when the
        server refuses us.
        """
        raise NotImplementedError

    def see(self, http: Http, album: str, photo: Asked, found: Verdict) -> Seen:  # noqa: ARG002 - most cannot
        """Look at the original of a photo that ``ask`` ``found``: its first byte and its size.
        Raises as ``ask`` does.

        A "yes" after a doubt counts only once this says READABLE.
        """
        return Seen(Original.UNKNOWN, f"{self.address} cannot show its originals")

    def read_back(self, http: Http, album: str, photo: Asked, found: Verdict) -> str:  # noqa: ARG002
        """The SHA-256 (lower-case hex) of a photo that ``ask`` ``found``, downloaded, or read again
        by the server.

        "" where the server does not show originals. Raises as ``ask`` does.
        """
        return ""

    def keeps_in(self, http: Http, folder: bytes) -> bool:  # noqa: ARG002 - most do not say
        """May this server store its photos in ``folder``, the root of a receiver's store?"""
        return False

    def find_album(self, http: Http, name: str, known_id: str | None) -> ServerAlbum | None:
        """The album with id ``known_id`` if the server still has it, else the one called ``name``,
        else None.

        Only where ``keeps_albums``. Raises as ``ask`` does; ConfigError, too, if several albums
        have that name.
        """
        raise NotImplementedError

    def make_album(self, http: Http, name: str) -> ServerAlbum:
        """Make an album. Raises as ``ask`` does."""
        raise NotImplementedError

    def settle_on(self, http: Http, name: str, made: ServerAlbum) -> ServerAlbum:  # noqa: ARG002
        """Choose between the album just ``made`` and one that another computer made at the same
        moment.

        All computers choose the same album. Raises as ``ask`` does.
        """
        return made

    def place(self, http: Http, album: ServerAlbum, photos: Sequence[str]) -> list[str]:
        """Put stored photos, by id, into an album. For each photo, "" if it is in the album now,
        else the reason.

        Raises as ``ask`` does; AlbumGone if the album was deleted.
        """
        raise NotImplementedError

    def place_again(self, http: Http, album: ServerAlbum, photos: Sequence[str]) -> bool:
        """Put photos into an album that were put there before. True if one of them was missing."""
        self.place(http, album, photos)
        return True

    def join(self, http: Http, still: str, clip: str) -> str:  # noqa: ARG002 - most cannot
        """Make a live photo of two stored files, by id; "" on success, else the reason. Raises as
        ``ask`` does.

        Only where ``pairs_live``: for a still that was sent alone because its clip had failed.
        """
        return f"{self.address} joins none that are there already"

    def share_link(self, http: Http, album: ServerAlbum) -> ShareLink:
        """The album's link for people: the one it has, or a new one. Raises as ``place`` does.

        An address that the server names itself counts only if it can be one.
        """
        raise NotImplementedError

    def has_link(self, http: Http, url: str) -> bool:  # noqa: ARG002 - most cannot tell
        """Does a link from ``share_link`` still work? Raises as ``ask`` does."""
        return True

    def where_tried(self, photo: Photo, remote_id: str, url: str) -> str:  # noqa: ARG002 - most have no folders
        """Where to find a photo that ``target try`` sent, as in "look on HOST"; ``url``: its page,
        "" if unknown."""
        if url:
            return f"on {self.address}: {url}"
        return f"on {self.address} as {remote_id}" if remote_id else f"on {self.address}"

    def share(self, album: str) -> str:  # noqa: ARG002 - most have no such key
        """The album's address for people from the config; "" where the config has none. Does not
        ask the server."""
        return ""

    def close(self) -> None:  # noqa: B027 - most have nothing to end
        """End what the target started (the inbox's receiver)."""
