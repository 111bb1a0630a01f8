"""``target check`` of an Immich server: address, version, key, each permission by name, quota and
limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from albumup.errors import ConfigError
from albumup.targets.answers import object_of
from albumup.targets.base import Check, Unasked
from albumup.targets.checks import checked, checked_addresses, limit_of_proxy
from albumup.targets.immich_api import ImmichApi, suffixes_in
from albumup.targets.tokens import where_token_is
from albumup.transfer import Answer

if TYPE_CHECKING:
    from albumup.transfer.http import Http

OLDEST, NEWEST = (1, 138), 3
"""The oldest version and the newest major version that were tested."""
ASKS_WITH_UPLOAD = (1, 141)
"""Before this version, only a key with ``all`` may ask for duplicates (asset-media.controller.ts,
checkBulkUpload)."""
PERMISSIONS = ("asset.upload", "album.read", "album.create", "albumAsset.create")
"""The permissions that a push needs (the controllers' ``Authenticated``,
server/src/controllers)."""
OPTIONAL = {
    "asset.download": "missing; without it a photo in doubt stays so, and verify calls nothing "
    "safe to erase",
    "asset.update": "missing; wanted only for a live photo whose still was there before its clip",
    "sharedLink.create": "missing; wanted only for push --share and albumup share",
}
"""Other permissions, and what does not work without them."""
_NO_PHOTO = {"id": "0", "checksum": "00" * 20}
"""For questions whose answer does not matter: an empty list is a 500 (``in ()`` is no SQL,
asset.repository.ts)."""
_NO_PHOTO_ID = "00000000-0000-4000-8000-000000000000"
_GIGABYTE = 1e9


def look(target: ImmichApi) -> list[Check]:
    """Check everything that can be checked without uploading or changing anything."""
    http = target.http()
    lines = checked_addresses(target, http)
    return lines + _look(target, http) if target.is_placed else lines


def _look(target: ImmichApi, http: Http) -> list[Check]:
    try:
        api = target.api(http)
    except Unasked as unasked:
        return [
            Check(
                "address",
                False,
                f"{target.at}: {unasked}",
                is_down=not unasked.has_answered,
            )
        ]
    except ConfigError as error:
        return [Check("address", False, f"{error}; {error.hint}")]
    ping = http.call("GET", f"{api}/server/ping")
    if ping.answer is None:
        return [checked("address", api, ping)]
    if object_of(ping.answer).get("res") != "pong":
        page = " with an HTML page" if ping.answer.is_page else ""
        said = f"{ping.answer.status} {ping.answer.reason}{page}"
        words = f"{api} answered {said}, and is no Immich server"
        is_down = checked("address", api, ping).is_down
        hint = "" if is_down else f"; write the address that a browser shows: {target.key('url')}"
        return [Check("address", False, words + hint, is_down=is_down)]
    version = _version(http, api)
    found = [Check("address", True, f"an Immich server, its API at {api}"), _version_line(version)]
    if target.is_in_maintenance(http):
        return [
            *found,
            Check("service", False, "it is in maintenance mode: try again later", is_down=True),
        ]
    key, may_ask = _key(target, http, api)
    found.append(key)
    if key.ok:
        found += _permissions(target, http, api, version, may_ask=may_ask)
        found += [_quota(http, api), _types(http, api), *limit_of_proxy(ping.answer)]
    return found


def _version(http: Http, api: str) -> tuple[int, int, int] | None:
    said = _said(http, f"{api}/server/version")
    try:
        return int(said["major"]), int(said["minor"]), int(said["patch"])
    except (KeyError, TypeError, ValueError):
        return None


def _version_line(version: tuple[int, int, int] | None) -> Check:
    if version is None:
        return Check("version", None, "it does not say")
    shown = ".".join(map(str, version))
    oldest = ".".join(map(str, OLDEST))
    if version[:2] < OLDEST:
        return Check(
            "version", False, f"{shown} is older than {oldest}: bring the server up to date"
        )
    if version[0] > NEWEST:
        return Check(
            "version", None, f"{shown} is newer than any that was tried ({oldest} to {NEWEST}.x)"
        )
    return Check("version", True, shown)


def _key(target: ImmichApi, http: Http, api: str) -> tuple[Check, bool]:
    """Whether the server accepts the key, and whether the key may ask for duplicates."""
    if not target.token:
        where = f"make one at {target.site}/user-settings and name it in {target.key('token_file')}"
        return Check("key", False, f"there is none; {where}"), False
    sent = http.call("POST", f"{api}/assets/bulk-upload-check", json={"assets": [_NO_PHOTO]})
    if sent.answer is not None and not sent.answer.is_page:
        if sent.answer.status == 401:
            said = target.said(sent.answer) or "not accepted"
            words = f"401: {said}: it is wrong, or was revoked; {where_token_is(target)}"
            return Check("key", False, words), False
        if sent.answer.status == 403:
            return Check("key", True, "accepted"), False
        if sent.answer.status == 200 and isinstance(object_of(sent.answer).get("results"), list):
            return Check("key", True, "accepted"), True
    found = checked("key", f"{api}/assets/bulk-upload-check", sent)
    words = f"{found.words}, so that nobody knows whether the key is right"
    return Check("key", False, words, is_down=found.is_down), False


def _permissions(
    target: ImmichApi, http: Http, api: str, version: tuple[int, int, int] | None, *, may_ask: bool
) -> list[Check]:
    """Check permissions by the key's own list (api-keys/me, since 1.139), else by harmless
    requests."""
    granted = _said(http, f"{api}/api-keys/me").get("permissions")
    found = []
    if not may_ask and version is not None and version[:2] < ASKS_WITH_UPLOAD:
        first = ".".join(map(str, ASKS_WITH_UPLOAD))
        words = (
            f"missing: before {first} only a key with all permissions may ask what is there; "
            f"make one at {target.site}/user-settings"
        )
        found.append(Check("permission all", False, words))
    for name in (*PERMISSIONS, *OPTIONAL):
        is_there = (
            "all" in granted or name in granted
            if isinstance(granted, list)
            else _tried(http, api, name)
        )
        if name == "asset.upload" and may_ask:
            is_there = True
        if is_there:
            words = "granted"
        elif is_there is None:
            words = "this version does not tell; it shows at the first push"
        elif name in OPTIONAL:
            is_there, words = None, OPTIONAL[name]
        else:
            words = f"missing: grant it to the key at {target.site}/user-settings"
        found.append(Check(f"permission {name}", is_there, words))
    return found


def _tried(http: Http, api: str, permission: str) -> bool | None:
    """Try whether a permission is granted; None where only a change would tell."""
    if permission == "album.read":
        sent = http.call("GET", f"{api}/albums?isOwned=true&name=albumup")
        well: tuple[int, ...] = (200,)
    elif permission == "asset.download":
        sent = http.call("GET", f"{api}/assets/{_NO_PHOTO_ID}/original")
        well = (400, 404)  # "Not found or no asset.download access", since 3.0 "Not Found"
    else:
        return None
    if sent.answer is None or sent.answer.is_page:
        return None
    if sent.answer.status == 403:
        return False
    return True if sent.answer.status in well else None


def _quota(http: Http, api: str) -> Check:
    sent = http.call("GET", f"{api}/users/me")
    said = object_of(sent.answer) if sent.answer is not None else {}
    if sent.answer is None or sent.answer.status != 200:
        return Check(
            "quota",
            None,
            "not known: the key has no permission user.read, which is not needed otherwise",
        )
    size, used = said.get("quotaSizeInBytes"), said.get("quotaUsageInBytes") or 0
    if not isinstance(size, int):
        return Check("quota", True, "none")
    left = size - int(used)
    return Check(
        "quota", left > 0, f"{max(left, 0) / _GIGABYTE:.1f} of {size / _GIGABYTE:.1f} GB left"
    )


def _types(http: Http, api: str) -> Check:
    said = _said(http, f"{api}/server/media-types")
    names = suffixes_in(said)
    if not names:
        return Check("types", None, "it does not say which it takes")
    words = (
        f"{len(names)} kinds of file are taken; a proxy in front of the server may limit their size"
    )
    return Check("types", True, words)


def _said(http: Http, url: str) -> dict[str, Any]:
    """The JSON object of a 200; else empty."""
    answer: Answer | None = http.call("GET", url).answer
    return object_of(answer) if answer is not None and answer.status == 200 else {}
