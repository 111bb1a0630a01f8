"""The albums of an account on an Immich server, and their share links."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from albumup.errors import ConfigError
from albumup.targets.answers import words_in
from albumup.targets.base import AlbumGone, ServerAlbum, ShareLink, Unasked
from albumup.targets.immich_api import SAYS_NOTHING, ImmichApi, answers_in_shape, unanswered

if TYPE_CHECKING:
    from albumup.transfer.http import Http

_SAME_MOMENT = 60.0
"""Seconds between two albums of one name that count as made at the same moment."""
_SITE = re.compile(r"https?://[!-~]+")
_NOT_IN_SITES = frozenset("\"'<>\\^`{|}?#@")


class ImmichAlbums(ImmichApi):
    """An account that keeps albums."""

    keeps_albums = True
    can_share = True
    pairs_live = True

    @answers_in_shape
    def find_album(self, http: Http, name: str, known_id: str | None) -> ServerAlbum | None:
        if known_id is not None:
            # A missing album is a 400 ("Not found or no album.read access", access.ts) or a 404.
            said = self.call(
                http, "GET", f"/albums/{quote(known_id)}?withoutAssets=true", missing=(400, 404)
            )
            if isinstance(said, dict) and said.get("id") == known_id:
                return self._album(said)
        found = _without_empty_twins(self._called(http, name))
        if len(found) > 1:
            where = ", ".join(self._album(one).url for one in found)
            raise ConfigError(
                f"{self.address} has {len(found)} albums called {name!r}: {where}",
                "rename one of them there, then: albumup resume; "
                "or push under another name: --album NAME",
            )
        return self._album(found[0]) if found else None

    def _called(self, http: Http, name: str) -> list[Mapping[str, Any]]:
        """The account's own albums of that name, the oldest first. Versions before 3 do not have
        these parameters."""
        wanted = _sendable(name)
        said = self.call(http, "GET", f"/albums?isOwned=true&name={quote(wanted)}", missing=(400,))
        if said is None:
            said = self.call(http, "GET", "/albums")
        if not isinstance(said, list):
            raise Unasked(f"{self.site}: {SAYS_NOTHING}", is_wrong_address=True)
        found = [
            one
            for one in said
            if isinstance(one, dict) and one.get("albumName") == wanted and str(one["id"])
        ]
        return sorted(found, key=lambda one: (str(one.get("createdAt") or ""), str(one["id"])))

    @answers_in_shape
    def make_album(self, http: Http, name: str) -> ServerAlbum:
        made = self.call(http, "POST", "/albums", {"albumName": _sendable(name)})
        if not isinstance(made, dict) or not isinstance(made.get("id"), str):
            raise Unasked(f"{self.site}: {SAYS_NOTHING}")
        return self._album(made)

    @answers_in_shape
    def settle_on(self, http: Http, name: str, made: ServerAlbum) -> ServerAlbum:
        """The oldest album of that name. If ours is younger, it is deleted: it is empty, and nobody
        has chosen it.

        A key without album.delete leaves ours there; see ``_without_empty_twins``.
        """
        oldest = next(iter(self._called(http, name)), None)
        if oldest is None or oldest["id"] == made.id:
            return made
        http.call("DELETE", f"{self.api(http)}/albums/{quote(made.id)}")
        return self._album(oldest)

    @answers_in_shape
    def place(self, http: Http, album: ServerAlbum, photos: Sequence[str]) -> list[str]:
        """PUT /albums/ID/assets. The error "duplicate" means that the photo is in the album
        already: a success."""
        return [_why_not(one) for one in self._put(http, album, photos)]

    def place_again(self, http: Http, album: ServerAlbum, photos: Sequence[str]) -> bool:
        """True if the server put a photo in. The album's count cannot tell: it omits clips of live
        photos and trash."""
        return any(one.get("success") for one in self._put(http, album, photos))

    def _put(
        self, http: Http, album: ServerAlbum, photos: Sequence[str]
    ) -> list[Mapping[str, Any]]:
        path = f"/albums/{quote(album.id)}"
        said = self.call(http, "PUT", f"{path}/assets", {"ids": list(photos)}, missing=(400, 404))
        if said is None:
            if self.call(http, "GET", f"{path}?withoutAssets=true", missing=(400, 404)) is None:
                raise AlbumGone
            raise Unasked(f"{album.url}: photos cannot be put into it")
        results = (
            {one.get("id"): one for one in said if isinstance(one, dict)}
            if isinstance(said, list)
            else {}
        )
        if not results.keys() >= set(photos):
            raise Unasked(f"{self.site}: {SAYS_NOTHING}")
        return [results[one] for one in photos]

    def join(self, http: Http, still: str, clip: str) -> str:
        """PUT /assets/ID (asset.service.ts, update): needs asset.update, as nothing else does."""
        sent = http.call(
            "PUT", f"{self.api(http)}/assets/{quote(still)}", json={"livePhotoVideoId": clip}
        )
        if sent.answer is None:
            raise unanswered(sent)
        if sent.answer.status in (400, 403) and not sent.answer.is_page:
            return self.said(sent.answer) or f"{sent.answer.status} {sent.answer.reason}"
        if sent.answer.status != 200 or sent.answer.is_page:
            self.refuse(http, sent.answer)
        return ""

    @answers_in_shape
    def share_link(self, http: Http, album: ServerAlbum) -> ShareLink:
        """An open link that the album has, if the key may list links, else a new one."""
        links = self.call(
            http, "GET", f"/shared-links?albumId={quote(album.id)}", missing=(400, 403, 404)
        )
        for link in links if isinstance(links, list) else []:
            if _is_open_link(link, album.id):
                return self._link_url(http, link)
        wanted = {"type": "ALBUM", "albumId": album.id, "allowDownload": True, "allowUpload": False}
        made = self.call(http, "POST", "/shared-links", wanted, missing=(400, 404))
        if made is None:
            raise AlbumGone
        if not isinstance(made, dict) or not isinstance(made.get("key"), str):
            raise Unasked(f"{self.site}: {SAYS_NOTHING}")
        return self._link_url(http, made)

    def _link_url(self, http: Http, link: Mapping[str, Any]) -> ShareLink:
        """The link's address, below the server's external address if it names a valid one."""
        config = self.call(http, "GET", "/server/config", missing=(401, 403, 404))
        outside = str(config.get("externalDomain") or "") if isinstance(config, dict) else ""
        path = f"/share/{quote(str(link['key']), safe='')}"
        if not outside or is_site(outside):
            return ShareLink((outside.rstrip("/") or self.site) + path)
        told = words_in(outside, 100)
        return ShareLink(
            self.site + path,
            f"the server says that it is known to others as {told!a} (externalDomain), "
            f"which is no address; its share link has {self.address} instead",
        )

    def has_link(self, http: Http, url: str) -> bool:
        """GET /shared-links/me with the link's own key, as its readers do: this needs no
        permission.

        401 is a deleted link or, since 3.0, one with a password.
        """
        key = url.rpartition("/share/")[2]
        sent = http.call("GET", f"{self.api(http)}/shared-links/me?key={quote(key)}")
        if sent.answer is None:
            raise unanswered(sent)
        if sent.answer.status == 401 and not sent.answer.is_page:
            return "password" in self.said(sent.answer).lower()
        if sent.answer.status == 404 and not sent.answer.is_page:
            return self._lists_link(http, key)
        if sent.answer.status != 200 or sent.answer.is_page:
            self.refuse(http, sent.answer)
        return True

    @answers_in_shape
    def _lists_link(self, http: Http, key: str) -> bool:
        """Is the link among the account's? True, too, if the key may not list them, for then nobody
        can tell."""
        links = self.call(http, "GET", "/shared-links", missing=(403,))
        return links is None or any(quote(str(link["key"]), safe="") == key for link in links)

    def _album(self, said: Mapping[str, Any]) -> ServerAlbum:
        album_id, count = str(said["id"]), said.get("assetCount")
        return ServerAlbum(
            album_id,
            f"{self.site}/albums/{quote(album_id)}",
            count if isinstance(count, int) else None,
        )


def is_site(text: str) -> bool:
    """Can this be a web site's address: http or https, a host, and no characters that do not belong
    there?"""
    if not _SITE.fullmatch(text) or _NOT_IN_SITES & set(text):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _without_empty_twins(albums: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The only album of one name with photos, if the empty ones were made within a minute of it;
    else all.

    Two computers leave such twins if they made one album at the same moment and their keys may not
    delete it.
    """
    filled = [one for one in albums if one.get("assetCount")]
    if len(albums) < 2 or len(filled) != 1:
        return albums
    if not all(one.get("createdAt") for one in albums):
        return albums
    made = [datetime.fromisoformat(str(one["createdAt"])) for one in albums]
    return filled if (max(made) - min(made)).total_seconds() <= _SAME_MOMENT else albums


def _why_not(result: Mapping[str, Any]) -> str:
    """Why a photo was not put into an album, "" if it was. Immich says "no permission" of an
    unknown id, too."""
    error = "" if result.get("success") else str(result.get("error") or "unknown")
    if error in ("", "duplicate"):
        return ""
    if error in ("no_permission", "not_found"):
        return "the server does not have it any more"
    return words_in(f"{error} {result.get('errorMessage') or ''}")


def _is_open_link(link: Any, album_id: str) -> bool:
    """Is this a link to the album without a password and without an end?"""
    if (
        not isinstance(link, dict)
        or link.get("type") != "ALBUM"
        or not isinstance(link.get("key"), str)
    ):
        return False
    album = link.get("album")
    is_of_it = isinstance(album, dict) and album.get("id") == album_id
    return is_of_it and not link.get("password") and not link.get("expiresAt")


def _sendable(text: str) -> str:
    return text.encode(errors="surrogateescape").decode(errors="replace")
