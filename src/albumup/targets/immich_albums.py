"""The albums of an account on an Immich server, and their share links."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from albumup.errors import ConfigError
from albumup.targets.base import AlbumGone, ServerAlbum, ShareLink, Unasked, words_in
from albumup.targets.immich_api import SAYS_NOTHING, ImmichApi, answers_in_shape, unanswered

if TYPE_CHECKING:
    from albumup.transfer.http import Http

_AT_ONE_MOMENT = 60.0
"""Seconds."""
_SITE = re.compile(r"https?://[!-~]+")
_NO_PART_OF_ONE = frozenset("\"'<>\\^`{|}?#@")


class ImmichAlbums(ImmichApi):
    """An account that keeps albums."""

    keeps_albums = True
    can_share = True
    pairs_live = True

    @answers_in_shape
    def find_album(self, http: Http, name: str, known_id: str | None) -> ServerAlbum | None:
        if known_id is not None:
            # A missing one is a 400 ("Not found or no album.read access", access.ts) or a 404.
            said = self.call(http, "GET", f"/albums/{quote(known_id)}?withoutAssets=true", missing=(400, 404))
            if isinstance(said, dict) and said.get("id") == known_id:
                return self._album(said)
        found = _without_leavings(self._called(http, name))
        if len(found) > 1:
            where = ", ".join(self._album(one).url for one in found)
            raise ConfigError(
                f"{self.address} has {len(found)} albums called {name!r}: {where}",
                "rename one of them there, then: albumup resume; or push under another name: --album NAME",
            )
        return self._album(found[0]) if found else None

    def _called(self, http: Http, name: str) -> list[Mapping[str, Any]]:
        """The account's own albums of that name, the oldest first. Versions before 3 know no such parameters."""
        wanted = _sendable(name)
        said = self.call(http, "GET", f"/albums?isOwned=true&name={quote(wanted)}", missing=(400,))
        if said is None:
            said = self.call(http, "GET", "/albums")
        if not isinstance(said, list):
            raise Unasked(f"{self.site}: {SAYS_NOTHING}", is_wrong_address=True)
        found = [one for one in said if isinstance(one, dict) and one.get("albumName") == wanted and str(one["id"])]
        return sorted(found, key=lambda one: (str(one.get("createdAt") or ""), str(one["id"])))

    @answers_in_shape
    def make_album(self, http: Http, name: str) -> ServerAlbum:
        made = self.call(http, "POST", "/albums", {"albumName": _sendable(name)})
        if not isinstance(made, dict) or not isinstance(made.get("id"), str):
            raise Unasked(f"{self.site}: {SAYS_NOTHING}")
        return self._album(made)

    @answers_in_shape
    def settle_on(self, http: Http, name: str, made: ServerAlbum) -> ServerAlbum:
        """The oldest of that name. Ours, if it is another, is deleted: it is empty, and nobody has chosen it.

        A key without album.delete leaves it there; see ``_without_leavings``.
        """
        oldest = next(iter(self._called(http, name)), None)
        if oldest is None or oldest["id"] == made.id:
            return made
        http.call("DELETE", f"{self.api(http)}/albums/{quote(made.id)}")
        return self._album(oldest)

    @answers_in_shape
    def place(self, http: Http, album: ServerAlbum, photos: Sequence[str]) -> list[str]:
        """PUT /albums/ID/assets: one in the album already is an error called duplicate, and as good as put there."""
        return [_why_not(one) for one in self._put(http, album, photos)]

    def place_again(self, http: Http, album: ServerAlbum, photos: Sequence[str]) -> bool:
        """Its count is of what it shows: clips of live photos, and what is in the trash, are in it all the same."""
        return any(one.get("success") for one in self._put(http, album, photos))

    def _put(self, http: Http, album: ServerAlbum, photos: Sequence[str]) -> list[Mapping[str, Any]]:
        path = f"/albums/{quote(album.id)}"
        said = self.call(http, "PUT", f"{path}/assets", {"ids": list(photos)}, missing=(400, 404))
        if said is None:
            if self.call(http, "GET", f"{path}?withoutAssets=true", missing=(400, 404)) is None:
                raise AlbumGone
            raise Unasked(f"{album.url}: photos cannot be put into it")
        results = {one.get("id"): one for one in said if isinstance(one, dict)} if isinstance(said, list) else {}
        if not results.keys() >= set(photos):
            raise Unasked(f"{self.site}: {SAYS_NOTHING}")
        return [results[one] for one in photos]

    def join(self, http: Http, still: str, clip: str) -> str:
        """PUT /assets/ID (asset.service.ts, update): permission asset.update, wanted for nothing else."""
        sent = http.call("PUT", f"{self.api(http)}/assets/{quote(still)}", json={"livePhotoVideoId": clip})
        if sent.answer is None:
            raise unanswered(sent)
        if sent.answer.status in (400, 403) and not sent.answer.is_page:
            return self.said(sent.answer) or f"{sent.answer.status} {sent.answer.reason}"
        if sent.answer.status != 200 or sent.answer.is_page:
            self.refuse(http, sent.answer)
        return ""

    @answers_in_shape
    def share_link(self, http: Http, album: ServerAlbum) -> ShareLink:
        """An open link that the album has already, where the key may look, else a new one."""
        links = self.call(http, "GET", f"/shared-links?albumId={quote(album.id)}", missing=(400, 403, 404))
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
        """The server may be known to the world by another name than to us, if what it says can be one."""
        config = self.call(http, "GET", "/server/config", missing=(401, 403, 404))
        outside = str(config.get("externalDomain") or "") if isinstance(config, dict) else ""
        path = f"/share/{quote(str(link['key']), safe='')}"
        if not outside or is_site(outside):
            return ShareLink((outside.rstrip("/") or self.site) + path)
        words = f"the server says that it is known to others as {words_in(outside, 100)!a} (externalDomain),"
        return ShareLink(self.site + path, f"{words} which is no address; its share link has {self.address} instead")

    def has_link(self, http: Http, url: str) -> bool:
        """GET /shared-links/me with the link's own key, as whoever has it does: no permission is wanted for that.

        401 is a link that is no more, or, since 3.0, one with a password.
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
        """Among the account's links, where the key may look at those; where it may not, nobody can tell."""
        links = self.call(http, "GET", "/shared-links", missing=(403,))
        return links is None or any(quote(str(link["key"]), safe="") == key for link in links)

    def _album(self, said: Mapping[str, Any]) -> ServerAlbum:
        album_id, count = str(said["id"]), said.get("assetCount")
        return ServerAlbum(album_id, f"{self.site}/albums/{quote(album_id)}", count if isinstance(count, int) else None)


def is_site(text: str) -> bool:
    """Can this be where a web site is for people: http or https, a host, and nothing that is no part of that?"""
    if not _SITE.fullmatch(text) or _NO_PART_OF_ONE & set(text):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _without_leavings(albums: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The only one of several equal names that has photos, if the others were made within a minute of it.

    That is what two computers leave that made one album at the same moment and may delete none.
    """
    filled = [one for one in albums if one.get("assetCount")]
    if len(albums) < 2 or len(filled) != 1:
        return albums
    if not all(one.get("createdAt") for one in albums):
        return albums
    made = [datetime.fromisoformat(str(one["createdAt"])) for one in albums]
    return filled if (max(made) - min(made)).total_seconds() <= _AT_ONE_MOMENT else albums


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


def _sendable(text: str) -> str:
    return text.encode(errors="surrogateescape").decode(errors="replace")
