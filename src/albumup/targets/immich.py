"""``kind = "immich"``: an Immich server, 1.138 to 3.x.

It knows photos by their SHA-1: so each is asked about before it is sent, and sending one again is harmless.
Names of its sources below are those of github.com/immich-app/immich; what each version accepts and answers is in the
released @immich/sdk packages (1.138.1, 2.7.5, 3.2.2).
"""

from __future__ import annotations

import functools
import json
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast
from urllib.parse import quote, urljoin, urlsplit

from albumup.errors import ConfigError
from albumup.photo import media_type_by_name, suffix_of
from albumup.settings import CommonSettings, ImmichSettings
from albumup.targets.base import (
    AlbumGone,
    Asked,
    Check,
    Form,
    Part,
    Photo,
    ServerAlbum,
    Target,
    Unasked,
    Verdict,
    VerdictKind,
    object_of,
    words_in,
)
from albumup.transfer import Answer, Fault, Request, Sent, retry_after

if TYPE_CHECKING:
    from albumup.transfer.http import Http

ASK_AT_A_TIME = 5000
"""As many as its own command-line client asks about at a time."""
_MOST_ANSWER = 64 << 20
"""Bytes: a list of all albums of somebody who has thousands of them."""
_SICK = (500, 502, 503, 504)
_IN_DOUBT = "it did not say what was asked of it"


F = TypeVar("F", bound=Callable[..., Any])


def _answers_in_shape(method: F) -> F:
    """A server may answer JSON of any shape: what cannot be read so is no answer."""

    @functools.wraps(method)
    def guarded(*given: Any, **named: Any) -> Any:
        try:
            return method(*given, **named)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Unasked(f"its answer is in no shape that is known ({type(error).__name__})") from error

    return cast(F, guarded)


class ImmichTarget(Target):
    """One account on one server, by an API key."""

    kind = "immich"
    settings_type: ClassVar[type[CommonSettings]] = ImmichSettings
    can_ask = True
    asks_first = True
    keeps_albums = True
    can_share = True
    pairs_live = True
    takes_sidecars = True
    overwrites_by_name = False

    def __init__(self, name: str, settings: CommonSettings, token: str | None, where: str) -> None:
        super().__init__(name, settings, token, where)
        self.site = settings.url.rstrip("/").removesuffix("/api")
        """Where people find it."""
        self._headers = [*self.authorization(), ("Accept", "application/json")]
        self._finding = threading.Lock()
        self._api: str | None = None
        """Where its API is, once that was found out."""
        self._types: frozenset[str] | None = None
        """The suffixes that it takes, once it was asked."""

    def authorization(self) -> list[tuple[str, str]]:
        """An API key goes in a header of its own (auth.guard.ts), unless the config says otherwise."""
        if self.settings.auth is None and self.token:
            return [("x-api-key", self.token)]
        return super().authorization()

    @property
    def digests(self) -> Collection[str]:
        return ("sha256", "sha1")

    @classmethod
    def recognises(cls, http: Http, url: str) -> str | None:
        site = url.rstrip("/").removesuffix("/api")
        target = cls("new", ImmichSettings(url=site), None, "")
        try:
            api = target.api(http)
        except Unasked:
            return None
        if not target._answers(http, api):
            return None
        return site if api == f"{site}/api" else api.removesuffix("/api")

    # The way of a photo.

    def filename(self, photo: Photo) -> str:
        """Its type is judged by the suffix of its name (asset-media.service.ts), so a photo without one gets it."""
        name = str(photo.values["name"])
        if media_type_by_name(os.fsencode(name)) is None and "/" in photo.mime:
            try:
                return name + suffix_of(photo.mime)
            except KeyError:
                return name
        return name

    def form(self, photo: Photo, filename: str) -> Form:
        """One form for all versions: the ids of a device are wanted before 3.0 and passed over since.

        No name in a field besides the file's own: a sidecar would be judged by it (``canUploadFile``).
        """
        modified = photo.values["modified"]
        assert isinstance(modified, datetime)
        when = modified.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = [
            ("deviceAssetId", photo.digests.get("sha1", "")),
            ("deviceId", "albumup"),
            ("fileCreatedAt", when),
            ("fileModifiedAt", when),
        ]
        if photo.clip_id:
            fields.append(("livePhotoVideoId", photo.clip_id))
        parts = []
        if photo.sidecar is not None:
            sidecar = os.path.splitext(filename)[0] + ".xmp"
            parts.append(Part("sidecarData", sidecar, "application/rdf+xml", photo.sidecar))
        return Form(fields, "assetData", filename, photo.mime, parts=parts)

    def request(self, photo: Photo) -> Request:
        """The digest in a header has it answer at once if it has the photo (asset-upload.interceptor.ts)."""
        try:
            api = self.api()
        except Unasked:
            api = self.site + "/api"  # sending says by itself what is wrong
        headers = list(self._headers)
        if sha1 := photo.digests.get("sha1"):
            headers.append(("x-immich-checksum", sha1))
        return Request("POST", f"{api}/assets", headers)

    def read_answer(self, answer: Answer, photo: Photo) -> Verdict:  # noqa: ARG002 - the id is all it says
        """201 with an id is stored. 200 is a duplicate, also of one in the trash: so it is asked where."""
        said = object_of(answer)
        remote_id, status = said.get("id"), said.get("status")
        if isinstance(remote_id, str) and remote_id and answer.complete and not answer.is_page:
            where = words_in(self.masked(remote_id)), self._photo_url(remote_id)
            if answer.status == 201 and status == "created":
                return Verdict(VerdictKind.STORED, "201 created, with its id", "", *where)
            if answer.status == 200 and status == "duplicate":
                return Verdict(VerdictKind.DUPLICATE, "200 duplicate, with its id", "", *where, is_hearsay=True)
        if answer.status == 413 and answer.is_page:
            words = f"413 {answer.reason}: a proxy before the server lets nothing through that is this large"
            return Verdict(VerdictKind.REJECTED, "413 with a page", words)
        message = self.said(answer)
        words = f"{answer.status} {answer.reason}: {message}" if message else ""
        if answer.status == 404 and message.startswith("Cannot POST "):
            # What was asked before was answered, so this is no wrong address.
            words = f"{self.site} seems to be in maintenance mode: {words}"
            return Verdict(VerdictKind.UNPROVEN, "404 of the API itself", words, is_down=True)
        if answer.status == 400 and "quota" in message.lower():
            return Verdict(VerdictKind.REFUSED, "400 with a word on the quota", words)
        if answer.status == 400 and "live photo video" in message.lower():
            return Verdict(VerdictKind.UNPROVEN, "400 with a word on the clip", words, drops_clip=True)
        if answer.status == 400 and message:
            return Verdict(VerdictKind.REJECTED, "400 with a message", words)
        return Verdict(VerdictKind.UNPROVEN, f"status {answer.status}", words)

    # Questions.

    @_answers_in_shape
    def ask(self, http: Http, album: str, photos: Sequence[Asked]) -> list[Verdict | None]:  # noqa: ARG002
        """POST /assets/bulk-upload-check: the account's photos by their SHA-1, whatever album they are in."""
        types = self._known_types(http)
        found: list[Verdict | None] = []
        for start in range(0, len(photos), ASK_AT_A_TIME):
            some = photos[start : start + ASK_AT_A_TIME]
            items = [
                {"id": str(number), "checksum": one.digests["sha1"]}
                for number, one in enumerate(some)
                if one.digests.get("sha1")
            ]
            said = self._call(http, "POST", "/assets/bulk-upload-check", {"assets": items}) if items else {}
            results = said.get("results", []) if isinstance(said, dict) else None
            if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
                raise Unasked(f"{self.site}: {_IN_DOUBT}", is_astray=True)
            by_id = {str(one.get("id")): one for one in results}
            if not by_id.keys() >= {item["id"] for item in items}:
                raise Unasked(f"{self.site}: its answer leaves out photos that it was asked about")
            found += [self._verdict(one, by_id.get(str(number), {}), types) for number, one in enumerate(some)]
        return found

    def _verdict(self, photo: Asked, result: Mapping[str, Any], types: frozenset[str] | None) -> Verdict | None:
        suffix = os.path.splitext(photo.name)[1].lower()
        remote_id = result.get("assetId")
        if result.get("action") == "reject" and result.get("reason") == "duplicate" and isinstance(remote_id, str):
            if result.get("isTrashed"):
                words = f"it is in the trash of {self.address}: restore it there, or empty the trash"
                return Verdict(VerdictKind.REJECTED, "its twin is in the trash", words)
            return Verdict(VerdictKind.STORED, "asked by SHA-1", "", remote_id, self._photo_url(remote_id))
        if result.get("reason") == "unsupported-format" or (types is not None and suffix not in types):
            return Verdict(
                VerdictKind.REJECTED, "its type", f"{self.address} takes no {suffix or 'files without suffix'}"
            )
        if result and result.get("action") != "accept":
            raise Unasked(f"{self.site}: {_IN_DOUBT}")
        return None

    def _known_types(self, http: Http) -> frozenset[str] | None:
        """The suffixes that the server takes, asked once; None if it does not say."""
        if self._types is None:
            said = self._call(http, "GET", "/server/media-types", missing=(404,))
            if not isinstance(said, dict):
                return None
            names = [name for kind in ("image", "video") for name in said.get(kind) or []]
            self._types = frozenset(str(name).lower() for name in names) or None
        return self._types

    # Albums.

    @_answers_in_shape
    def find_album(self, http: Http, name: str, known_id: str | None) -> ServerAlbum | None:
        if known_id is not None:
            # A missing one is a 400 ("Not found or no album.read access", access.ts) or a 404.
            said = self._call(http, "GET", f"/albums/{quote(known_id)}?withoutAssets=true", missing=(400, 404))
            if isinstance(said, dict) and said.get("id") == known_id:
                return self._album(known_id)
        wanted = _sendable(name)
        # Versions before 3 know no such parameters and list the account's own.
        said = self._call(http, "GET", f"/albums?isOwned=true&name={quote(wanted)}", missing=(400,))
        if said is None:
            said = self._call(http, "GET", "/albums")
        if not isinstance(said, list):
            raise Unasked(f"{self.site}: {_IN_DOUBT}", is_astray=True)
        ids = [str(one["id"]) for one in said if isinstance(one, dict) and one.get("albumName") == wanted]
        if len(ids) > 1:
            where = ", ".join(self._album(one).url for one in ids)
            raise ConfigError(
                f"{self.address} has {len(ids)} albums called {name!a}: {where}",
                "rename one of them there, then: albumup resume; or push under another name: --album NAME",
            )
        return self._album(ids[0]) if ids else None

    @_answers_in_shape
    def make_album(self, http: Http, name: str) -> ServerAlbum:
        said = self._call(http, "POST", "/albums", {"albumName": _sendable(name)})
        if not isinstance(said, dict) or not isinstance(said.get("id"), str):
            raise Unasked(f"{self.site}: {_IN_DOUBT}")
        return self._album(said["id"])

    @_answers_in_shape
    def place(self, http: Http, album: ServerAlbum, photos: Sequence[str]) -> list[str]:
        """PUT /albums/ID/assets: one in the album already is an error called duplicate, and as good as put there."""
        path = f"/albums/{quote(album.id)}"
        said = self._call(http, "PUT", f"{path}/assets", {"ids": list(photos)}, missing=(400, 404))
        if said is None:
            if self._call(http, "GET", f"{path}?withoutAssets=true", missing=(400, 404)) is None:
                raise AlbumGone
            raise Unasked(f"{album.url}: photos cannot be put into it")
        results = {one.get("id"): one for one in said if isinstance(one, dict)} if isinstance(said, list) else {}
        if not results.keys() >= set(photos):
            raise Unasked(f"{self.site}: {_IN_DOUBT}")
        return [_why_not(results[one]) for one in photos]

    @_answers_in_shape
    def share_link(self, http: Http, album: ServerAlbum) -> str:
        """An open link that the album has already, where the key may look, else a new one."""
        links = self._call(http, "GET", f"/shared-links?albumId={quote(album.id)}", missing=(400, 403, 404))
        for link in links if isinstance(links, list) else []:
            if _is_open_link(link, album.id):
                return self._link_url(http, link)
        wanted = {"type": "ALBUM", "albumId": album.id, "allowDownload": True, "allowUpload": False}
        made = self._call(http, "POST", "/shared-links", wanted, missing=(400, 404))
        if made is None:
            raise AlbumGone
        if not isinstance(made, dict) or not isinstance(made.get("key"), str):
            raise Unasked(f"{self.site}: {_IN_DOUBT}")
        return self._link_url(http, made)

    def _link_url(self, http: Http, link: Mapping[str, Any]) -> str:
        """The server may be known to the world by another name than to us."""
        config = self._call(http, "GET", "/server/config", missing=(401, 403, 404))
        outside = str(config.get("externalDomain") or "") if isinstance(config, dict) else ""
        site = outside.rstrip("/") if outside.startswith(("http://", "https://")) else self.site
        return f"{site}/share/{quote(str(link['key']))}"

    def _album(self, album_id: str) -> ServerAlbum:
        return ServerAlbum(album_id, f"{self.site}/albums/{quote(album_id)}")

    def _photo_url(self, remote_id: str) -> str:
        return f"{self.site}/photos/{quote(remote_id)}"

    # Its address, and how it speaks.

    def api(self, http: Http | None = None) -> str:
        """Where the API is: below the address, unless the server says otherwise (/.well-known/immich). Unasked."""
        with self._finding:
            if self._api is None:
                self._api = self._find_api(http or self.http())
            return self._api

    def _find_api(self, http: Http) -> str:
        usual = self.site + "/api"
        sent = http.call("GET", self.site + "/.well-known/immich")
        if sent.answer is None:
            raise _unanswered(sent)
        api = object_of(sent.answer).get("api")
        endpoint = str(api.get("endpoint") or "") if isinstance(api, dict) else ""
        told = urljoin(self.site + "/", endpoint).rstrip("/") if endpoint else usual
        if told == usual or self._answers(http, usual):
            return usual  # behind a proxy that adds a path, the server does not know of it
        if _origin(told) != _origin(self.site):
            raise ConfigError(
                f"{self.site} says that its API is at {told}, and the key is sent to no other server unasked",
                f'if that is right, write {self.key("url")} = "{told.removesuffix("/api")}"',
            )
        return told if self._answers(http, told) else usual

    def _answers(self, http: Http, api: str) -> bool:
        sent = http.call("GET", f"{api}/server/ping")
        return sent.answer is not None and object_of(sent.answer).get("res") == "pong"

    def _call(self, http: Http, method: str, path: str, body: Any = None, *, missing: Collection[int] = ()) -> Any:
        """What the API says, as parsed JSON; None for a status in ``missing``. Raises Unasked, ConfigError."""
        sent = http.call(method, self.api(http) + path, json=body, most=_MOST_ANSWER)
        answer = sent.answer
        if answer is None:
            raise _unanswered(sent)
        if _is_astray(answer) and self.is_in_maintenance(http):
            raise Unasked(f"{self.site} is in maintenance mode")
        if answer.status in missing and not answer.is_page:
            return None
        message = self.said(answer)
        words = f"{answer.status} {answer.reason}" + (f": {message}" if message else "")
        if answer.status == 401:
            raise ConfigError(
                f"{self.name}: {self.site} does not take the key: {words}",
                f"make a new API key there and put it where {self.where} says; see: albumup target check {self.name}",
            )
        if answer.status == 403 and not answer.is_page:
            raise ConfigError(
                f"{self.name}: {self.site} refuses this key: {words}",
                f"grant it that permission ({self.site}/user-settings), then: albumup resume;"
                f" all that is wanted: albumup target check {self.name}",
            )
        if answer.is_page:
            raise Unasked(f"{words} with an HTML page, where an answer should be", is_astray=answer.status not in _SICK)
        if _is_astray(answer):
            raise Unasked(words, is_astray=True)
        if not 200 <= answer.status < 300:
            raise Unasked(words, retry_after(answer, time.time()))
        try:
            if not answer.complete or answer.text is None:
                raise ValueError
            return json.loads(answer.text or "null")
        except (ValueError, RecursionError):
            raise Unasked(f"{words}, with no answer that can be read", is_astray=True) from None

    def is_in_maintenance(self, http: Http) -> bool:
        """Does it answer next to nothing for a while? Then all else is a 404, or leads to a page (2.x and 3.x).

        (maintenance-worker.controller.ts)
        """
        sent = http.call("GET", f"{self.api(http)}/server/config")
        return sent.answer is not None and object_of(sent.answer).get("maintenanceMode") is True

    def said(self, answer: Answer) -> str:
        """What it says is wrong: one text, a list of them, or since 3.0 a list of what fields are wrong."""
        said = object_of(answer)
        message = said.get("message")
        parts = [str(one) for one in message] if isinstance(message, list) else [str(message)] if message else []
        errors = said.get("errors")
        for error in errors if isinstance(errors, list) else []:
            if isinstance(error, dict):
                where = error.get("path")
                place = ".".join(map(str, where)) if isinstance(where, list) else str(where or "")
                parts.append(f"{place}: {error.get('message')}")
        return words_in(self.masked("; ".join(parts)))

    # target check.

    def check(self) -> list[Check]:
        from albumup.targets.immich_check import look

        return look(self)


def _unanswered(sent: Sent) -> Unasked:
    is_astray = sent.fault in (Fault.UNKNOWN_HOST, Fault.BAD_CERTIFICATE)
    return Unasked(sent.detail or str(sent.fault), is_astray=is_astray, has_answered=False)


def _is_astray(answer: Answer) -> bool:
    """Is this what a wrong address answers?"""
    return 300 <= answer.status < 400 or answer.status in (404, 405, 410)


def _why_not(result: Mapping[str, Any]) -> str:
    """Why a photo was not put into an album; an unknown id is "no permission" to the server, too."""
    error = "" if result.get("success") else str(result.get("error") or "unknown")
    if error in ("", "duplicate"):
        return ""
    if error in ("no_permission", "not_found"):
        return "the server does not have it any more"
    return words_in(f"{error} {result.get('errorMessage') or ''}")


def _is_open_link(link: Any, album_id: str) -> bool:
    """Is this a link to an album that lets anybody in, for as long as it is not taken back?"""
    if not isinstance(link, dict) or link.get("type") != "ALBUM" or not isinstance(link.get("key"), str):
        return False
    album = link.get("album")
    is_of_it = isinstance(album, dict) and album.get("id") == album_id
    return is_of_it and not link.get("password") and not link.get("expiresAt")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _sendable(text: str) -> str:
    return text.encode(errors="surrogateescape").decode(errors="replace")
