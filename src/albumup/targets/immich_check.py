"""``target check`` of an Immich server: address, version, key, each permission by name, quota and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from albumup.errors import ConfigError
from albumup.targets.base import Check, Unasked, checked, object_of
from albumup.transfer import Answer

if TYPE_CHECKING:
    from albumup.targets.immich import ImmichTarget
    from albumup.transfer.http import Http

OLDEST, NEWEST = (1, 138), 3
"""The oldest version, and the newest major version, that this was tested with."""
PERMISSIONS = ("asset.upload", "album.read", "album.create", "albumAsset.create")
"""What a push needs of an API key (the controllers' ``Authenticated``, server/src/controllers)."""
FOR_SHARING = ("sharedLink.create",)
_GIGABYTE = 1e9


def look(target: ImmichTarget) -> list[Check]:
    """What is well and what is missing, without uploading or changing anything."""
    http = target.http()
    try:
        api = target.api(http)
    except Unasked as unasked:
        return [Check("address", False, f"{target.settings.url}: {unasked}", is_down=not unasked.has_answered)]
    except ConfigError as error:
        return [Check("address", False, f"{error}; {error.hint}")]
    ping = http.call("GET", f"{api}/server/ping")
    if ping.answer is None:
        return [checked("address", api, ping)]
    if object_of(ping.answer).get("res") != "pong":
        page = " with an HTML page" if ping.answer.is_page else ""
        words = f"{api} answered {ping.answer.status} {ping.answer.reason}{page}, and is no Immich server"
        return [Check("address", False, f"{words}; write the address that a browser shows: {target.key('url')}")]
    found = [Check("address", True, f"an Immich server, its API at {api}"), _version(http, api)]
    key = _key(target, http, api)
    found += key
    if all(line.ok for line in key):
        found += _permissions(target, http, api)
        found += [_quota(http, api), _limits(http, api)]
    return found


def _version(http: Http, api: str) -> Check:
    said = _said(http, f"{api}/server/version")
    try:
        version = int(said["major"]), int(said["minor"]), int(said["patch"])
    except (KeyError, TypeError, ValueError):
        return Check("version", None, "it does not say")
    shown = ".".join(map(str, version))
    oldest = ".".join(map(str, OLDEST))
    if version[:2] < OLDEST:
        return Check("version", False, f"{shown} is older than {oldest}: bring the server up to date")
    if version[0] > NEWEST:
        return Check("version", None, f"{shown} is newer than any that was tried ({oldest} to {NEWEST}.x)")
    return Check("version", True, shown)


def _key(target: ImmichTarget, http: Http, api: str) -> list[Check]:
    if not target.token:
        where = f"make one at {target.site}/user-settings and name it in {target.key('token_file')}"
        return [Check("key", False, f"there is none; {where}")]
    sent = http.call("POST", f"{api}/assets/bulk-upload-check", json={"assets": []})
    if sent.answer is not None and sent.answer.status == 401:
        return [Check("key", False, f"401: {target.said(sent.answer) or 'not accepted'}: it is wrong, or was revoked")]
    if sent.answer is None or sent.answer.status >= 500 or sent.answer.is_page:
        return [checked("key", f"{api}/assets/bulk-upload-check", sent)]
    return [Check("key", True, "accepted")]


def _permissions(target: ImmichTarget, http: Http, api: str) -> list[Check]:
    """By the key's own list (api-keys/me, since 2.x), else by what can be tried without changing anything."""
    granted = _said(http, f"{api}/api-keys/me").get("permissions")
    found = []
    for name in (*PERMISSIONS, *FOR_SHARING):
        is_there = "all" in granted or name in granted if isinstance(granted, list) else _tried(http, api, name)
        optional = name in FOR_SHARING
        if is_there:
            words = "granted"
        elif is_there is None:
            words = "this version does not tell; it shows at the first push"
        elif optional:
            is_there, words = None, "missing; wanted only for push --share and albumup share"
        else:
            words = f"missing: grant it to the key at {target.site}/user-settings"
        found.append(Check(f"permission {name}", is_there, words))
    return found


def _tried(http: Http, api: str, permission: str) -> bool | None:
    """Is it granted? None where only doing it would tell."""
    if permission == "asset.upload":
        sent = http.call("POST", f"{api}/assets/bulk-upload-check", json={"assets": []})
    elif permission == "album.read":
        sent = http.call("GET", f"{api}/albums?isOwned=true&name=albumup")
    else:
        return None
    return None if sent.answer is None else sent.answer.status != 403


def _quota(http: Http, api: str) -> Check:
    sent = http.call("GET", f"{api}/users/me")
    said = object_of(sent.answer) if sent.answer is not None else {}
    if sent.answer is None or sent.answer.status != 200:
        return Check("quota", None, "not known: the key has no permission user.read, which is not needed otherwise")
    size, used = said.get("quotaSizeInBytes"), said.get("quotaUsageInBytes") or 0
    if not isinstance(size, int):
        return Check("quota", True, "none")
    left = size - int(used)
    return Check("quota", left > 0, f"{max(left, 0) / _GIGABYTE:.1f} of {size / _GIGABYTE:.1f} GB left")


def _limits(http: Http, api: str) -> Check:
    said = _said(http, f"{api}/server/media-types")
    names = [str(name) for kind in ("image", "video") for name in said.get(kind) or []]
    if not names:
        return Check("types", None, "it does not say which it takes")
    words = f"{len(names)} kinds of file are taken; how large one may be, a proxy before the server decides"
    return Check("types", True, words)


def _said(http: Http, url: str) -> dict[str, Any]:
    """The JSON object of a good answer; else empty."""
    answer: Answer | None = http.call("GET", url).answer
    return object_of(answer) if answer is not None and answer.status == 200 else {}
