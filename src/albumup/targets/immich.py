"""``kind = "immich"``: an Immich server, 1.138 to 3.x.

Immich identifies photos by SHA-1, so albumup asks about each photo before sending it, and sending
one twice is harmless. Source files named below are in github.com/immich-app/immich. The released
@immich/sdk packages (1.138.1,
2.7.5, 3.2.2) tell what each version accepts and answers.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from albumup.config.settings import CommonSettings, ImmichSettings
from albumup.errors import ConfigError
from albumup.photos.file_names import bytes_of
from albumup.photos.sniffing import may_be_media, needs_content, suffix_of
from albumup.targets.answers import object_of, words_in
from albumup.targets.base import (
    Asked,
    Check,
    Form,
    Original,
    Part,
    Photo,
    Seen,
    Unasked,
    Verdict,
    VerdictKind,
)
from albumup.targets.immich_albums import ImmichAlbums
from albumup.targets.immich_api import (
    CHECK,
    SAYS_NOTHING,
    answers_in_shape,
    suffixes_in,
    unanswered,
)
from albumup.transfer import Answer, Request, Sent

if TYPE_CHECKING:
    from albumup.transfer.http import Http

_NO_CACHE = {"Cache-Control": "no-cache"}
_FIRST_BYTE = {"Range": "bytes=0-0", **_NO_CACHE}
ASK_AT_A_TIME = 5000
"""The most photos in one question; Immich's own command-line client asks about as many."""


_TYPES_SECONDS = 5.0
"""How long a push waits for the server's list of types."""
_MOVE_SECONDS = 0.5
"""Enough for the server to move a file: measured, it is away for some 10 ms."""


class ImmichTarget(ImmichAlbums):
    """One account on one server, by an API key."""

    kind = "immich"
    settings_type: ClassVar[type[CommonSettings]] = ImmichSettings
    can_ask = True
    asks_first = True
    lists_types = True
    takes_sidecars = True
    overwrites_by_name = False
    removal = "delete it there, and then from the trash"

    def __init__(self, name: str, settings: CommonSettings, token: str | None, where: str) -> None:
        super().__init__(name, settings, token, where)
        self._types: frozenset[str] | None = None
        """The suffixes that the server takes, once it was asked."""
        self._is_silent_on_types = False
        """The server did not tell its types, and is not asked again while files are named."""

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
        ping = http.call("GET", f"{api}/server/ping")
        if ping.answer is None or object_of(ping.answer).get("res") != "pong":
            return None
        return site if api == f"{site}/api" else api.removesuffix("/api")

    # Sending a photo.

    def filename(self, photo: Photo) -> str:
        """The photo's name, with the suffix of its type if it has no known one.

        Immich judges the type by the suffix (asset-media.service.ts). A suffix of pictures or clips
        stays, and so does one that the server takes.
        """
        name = str(photo.values["name"])
        known, suffix = bytes_of(name), os.path.splitext(name)[1].lower()
        if may_be_media(known) or needs_content(known) or (suffix and suffix in self.suffixes()):
            return name
        try:
            return name + suffix_of(photo.mime)
        except KeyError:
            return name

    def suffixes(self) -> Collection[str]:
        if self._types is None and not self._is_silent_on_types:
            # The push goes on without; sending will report the error.
            with suppress(Unasked, ConfigError):
                self._known_types(self.http(_TYPES_SECONDS))
            self._is_silent_on_types = self._types is None
        return self._types or ()

    def form(self, photo: Photo, filename: str) -> Form:
        """One form for all versions: before 3.0 they want the device's ids, later ones ignore them.

        No field holds the file's name: Immich would judge the sidecar by that name, too
        (``canUploadFile``).
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
        """The request, with the digest in a header: a server that has the photo answers at once
        (asset-upload.interceptor.ts)."""
        try:
            api = self.api()
        except Unasked as unasked:
            if not self.is_placed:
                raise ConfigError(f"{self.name}: {unasked}") from unasked
            api = self.site + "/api"  # sending will report the error
        headers = list(self._headers)
        if sha1 := photo.digests.get("sha1"):
            headers.append(("x-immich-checksum", sha1))
        return Request("POST", f"{api}/assets", headers)

    def names_digest(self, photo: Photo) -> bool:
        return bool(photo.digests.get("sha1"))

    def read_answer(self, answer: Answer, photo: Photo) -> Verdict:  # noqa: ARG002 - the answer holds no more than the id
        """201 with an id is stored. 200 is a duplicate, perhaps of a photo in the trash, so it is
        unconfirmed."""
        said = object_of(answer)
        remote_id, status = said.get("id"), said.get("status")
        if isinstance(remote_id, str) and remote_id and answer.complete and not answer.is_page:
            where = words_in(self.masked(remote_id)), self._photo_url(remote_id)
            if answer.status == 201 and status == "created":
                return Verdict(VerdictKind.STORED, "201 created, with its id", "", *where)
            if answer.status == 200 and status == "duplicate":
                return Verdict(
                    VerdictKind.DUPLICATE,
                    "200 duplicate, with its id",
                    "",
                    *where,
                    is_unconfirmed=True,
                )
        if answer.status == 413 and answer.is_page:
            proxy = "a proxy in front of the server lets nothing this large through"
            words = f"413 {answer.reason}: {proxy}"
            return Verdict(VerdictKind.REJECTED, "413 with a page", words)
        message = self.said(answer)
        own = message or self.own_words(answer)
        words = f"{answer.status} {answer.reason}: {own}" if own else ""
        if answer.status == 404 and message.startswith("Cannot POST "):
            # The server answered the question before, so the address is right.
            words = f"{self.site} seems to be in maintenance mode: {words}"
            return Verdict(VerdictKind.UNPROVEN, "404 of the API itself", words, is_down=True)
        if answer.status == 400 and "quota" in message.lower():
            return Verdict(VerdictKind.REFUSED, "400 with a word on the quota", words)
        if answer.status == 400 and "live photo video" in message.lower():
            return Verdict(
                VerdictKind.UNPROVEN, "400 with a word on the clip", words, drops_clip=True
            )
        if answer.status == 400 and message:
            return Verdict(VerdictKind.REJECTED, "400 with a message", words)
        return Verdict(VerdictKind.UNPROVEN, f"status {answer.status}", words)

    # Asking about photos.

    def ping(self, http: Http, url: str | None) -> Sent:  # noqa: ARG002 - it has an address for that
        return http.call("GET", f"{self.known_api}/server/ping")

    @answers_in_shape
    def ask(self, http: Http, album: str, photos: Sequence[Asked]) -> list[Verdict | None]:  # noqa: ARG002
        """POST /assets/bulk-upload-check: look up the account's photos by SHA-1, whatever album
        they are in."""
        types = self._types_if_said(http)
        found: list[Verdict | None] = []
        for start in range(0, len(photos), ASK_AT_A_TIME):
            some = photos[start : start + ASK_AT_A_TIME]
            items = [
                {"id": str(number), "checksum": one.digests["sha1"]}
                for number, one in enumerate(some)
                if one.digests.get("sha1")
            ]
            said = self.call(http, "POST", CHECK, {"assets": items}) if items else {}
            results = said.get("results", []) if isinstance(said, dict) else None
            if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
                raise Unasked(f"{self.site}: {SAYS_NOTHING}", is_wrong_address=True)
            by_id = {str(one.get("id")): one for one in results}
            if not by_id.keys() >= {item["id"] for item in items}:
                raise Unasked(f"{self.site}: its answer leaves out photos that it was asked about")
            found += [
                self._verdict(one, by_id.get(str(number), {}), types)
                for number, one in enumerate(some)
            ]
        return found

    def _verdict(
        self, photo: Asked, result: Mapping[str, Any], types: frozenset[str] | None
    ) -> Verdict | None:
        suffix = os.path.splitext(photo.name)[1].lower()
        remote_id = result.get("assetId")
        if (
            result.get("action") == "reject"
            and result.get("reason") == "duplicate"
            and isinstance(remote_id, str)
        ):
            if result.get("isTrashed"):
                words = (
                    f"it is in the trash of {self.address}: restore it there, or empty the trash"
                )
                return Verdict(VerdictKind.REJECTED, "its twin is in the trash", words)
            return Verdict(
                VerdictKind.STORED, "asked by SHA-1", "", remote_id, self._photo_url(remote_id)
            )
        if result.get("reason") == "unsupported-format" or (
            types is not None and suffix not in types
        ):
            return Verdict(
                VerdictKind.REJECTED,
                "its type",
                f"{self.address} takes no {suffix or 'files without suffix'}",
            )
        if result and result.get("action") != "accept":
            raise Unasked(f"{self.site}: {SAYS_NOTHING}")
        return None

    def see(self, http: Http, album: str, photo: Asked, found: Verdict) -> Seen:
        """GET the first byte of /assets/ID/original (asset-media.controller.ts): permission
        asset.download.

        A photo without its file is a 500, since 3.0 a 404. So is one in the locked folder, for any
        key, and one whose file the storage template is just moving: therefore this looks twice.
        """
        url = self._original(http, found)
        for last in (False, True):
            sent = http.call("GET", url, headers=_FIRST_BYTE)
            answer = sent.answer
            if answer is None:
                raise unanswered(sent)
            if answer.status in (200, 206) and not answer.is_page:
                return self._by_size(answer, photo, found)
            if answer.status == 403:
                lacking = (
                    "a firewall before it says no"
                    if answer.is_page
                    else "the key lacks permission asset.download"
                )
                words = self.said(answer) or lacking
                return Seen(
                    Original.UNKNOWN,
                    f"its original cannot be seen: {words} ({self.site}/user-settings)",
                )
            if answer.is_page or answer.status not in (400, 404, 500):
                self.refuse(http, answer)
            if not last:
                time.sleep(_MOVE_SECONDS)
                if self.ask(http, album, [photo]) != [found]:
                    raise Unasked(f"{self.site}: {SAYS_NOTHING}")
        words = (
            f"{self.address} knows it and has no original of it, unless it is in the locked folder"
        )
        return Seen(Original.BROKEN, f"{words}: {_delete_it(found)}")

    def read_back(self, http: Http, album: str, photo: Asked, found: Verdict) -> str:  # noqa: ARG002
        """GET the whole original, and digest it block by block."""
        digest = hashlib.sha256()
        sent = http.call("GET", self._original(http, found), headers=_NO_CACHE, take=digest.update)
        if sent.answer is None:
            raise unanswered(sent)
        if sent.answer.status == 403:
            return ""
        if sent.answer.status != 200:
            self.refuse(http, sent.answer)
        if not sent.answer.complete:
            raise Unasked(f"{self.site}: the original came cut short")
        return digest.hexdigest()

    def _original(self, http: Http, found: Verdict) -> str:
        return f"{self.api(http)}/assets/{quote(found.remote_id)}/original"

    def _by_size(self, answer: Answer, photo: Asked, found: Verdict) -> Seen:
        """Compare the original's size, which the answer with its first byte tells, with ours."""
        if not answer.body:
            raise Unasked(f"{self.site}: its original came without a byte")
        told = answer.headers.get("content-range", "").rpartition("/")[2]
        if answer.status != 206:
            told = (
                ""
                if "content-encoding" in answer.headers
                else answer.headers.get("content-length", "")
            )
        if not told.isdecimal():
            return Seen(Original.UNKNOWN, f"{self.address} does not say how large its original is")
        if photo.size and int(told) != photo.size:
            words = f"the original that {self.address} has of it has {told} bytes, not {photo.size}"
            return Seen(Original.BROKEN, f"{words}: {_delete_it(found)}")
        return Seen(Original.READABLE)

    def _types_if_said(self, http: Http) -> frozenset[str] | None:
        """``_known_types``, or None where the server answers this question alone badly. A portal
        still raises."""
        try:
            return self._known_types(http)
        except Unasked as error:
            if error.is_wrong_address or not error.has_answered:
                raise
            return None

    def _known_types(self, http: Http) -> frozenset[str] | None:
        """The suffixes that the server takes, asked once; None if it does not tell. Raises Unasked,
        ConfigError."""
        if self._types is None:
            self._types = (
                suffixes_in(self.call(http, "GET", "/server/media-types", missing=(404,))) or None
            )
        return self._types

    def _photo_url(self, remote_id: str) -> str:
        return f"{self.site}/photos/{quote(remote_id)}"

    def where_tried(self, photo: Photo, remote_id: str, url: str) -> str:  # noqa: ARG002 - its page has the id
        return f"at {url or f'{self.site}/photos'}, in no album"

    # target check.

    def check(self) -> list[Check]:
        from albumup.targets.immich_check import look

        return look(self)


def _delete_it(found: Verdict) -> str:
    return f"delete it there, also from the trash ({found.url})"
