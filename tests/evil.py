"""A server, as which kind you like, that answers terminal escapes wherever a server says anything.

The first part of a path says how it is minded: ``well`` and ``no`` are Immich servers, ``form``
takes a form, ``nas`` is a receiver of albumup, ``page`` a portal, ``moved`` leads elsewhere.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

from servers import Line, Server, answer

LINE = "\x1b[35m\x1b]0;pwned\x07\x1b[2J\x9b5m\x7f"
"""What fits into a line of HTTP: a colour that is none of ours, a title, an erased screen, C1,
DEL."""
FORGED = "albumup: FORGED"
EVIL = f"{LINE}\u202e\u200b\u2028\x85\t\r\n{FORGED}"
"""The same and bidi, zero width, separators, and a line that looks like ours."""

Said = tuple[int, Any]
_PAGE = f"<html><title>{EVIL}</title><h1>{EVIL}</h1></html>"


class EvilServer(Server):
    def __init__(self) -> None:
        self.stored: dict[str, str] = {}
        """An Immich server's ids by their SHA-1."""
        self.albums: dict[str, str] = {}
        super().__init__()

    def serve(self, line: Line, _number: int) -> None:
        while True:
            asked, body = line.take_head(), line.take_body()
            mode, _, path = unquote(asked.target).lstrip("/").partition("/")
            status, said = _SAYS[mode](self, asked.method, path.partition("?")[0], body)
            text = said if isinstance(said, str) else json.dumps(said)
            mime = "text/html" if text.startswith("<") else "application/json"
            headers = [("X-Evil", "\x9b5m\xe2\x80\xae")]
            if 300 <= status < 400:
                headers += [("Location", "https://elsewhere.example/\x9b5m\xe2\x80\xae")]
            answer(status, text.encode(), headers, mime, reason=f"Well {LINE}")(line)


def _well(server: EvilServer, method: str, path: str, body: bytes) -> Said:
    """An Immich server that takes most, and calls all it has by evil names."""
    wanted = json.loads(body) if body.startswith(b"{") else {}
    match method, path.removeprefix("api/").split("/"):
        case "GET", [".well-known", "immich"]:
            return 200, {"api": {"endpoint": f"/api{EVIL}"}}
        case "GET", ["server", what]:
            return 200, {
                "ping": {"res": "pong"},
                "version": {"major": 3, "minor": 0, "patch": 3, "name": EVIL},
                "config": {"externalDomain": f"https://{EVIL}", "loginPageMessage": EVIL},
                "media-types": {"image": [".jpg", EVIL], "video": [EVIL]},
            }.get(what, {})
        case "GET", ["users", "me"]:
            return 200, {"name": EVIL, "email": EVIL, "quotaSizeInBytes": EVIL}
        case "GET", ["api-keys", "me"]:
            return 200, {"name": EVIL, "permissions": [EVIL, "asset.upload", "album.read"]}
        case "POST", ["assets", "bulk-upload-check"]:
            return 200, {"results": [_checked(server, item) for item in wanted["assets"]]}
        case "POST", ["assets"]:
            if b"IMG_1" in body[:2000]:
                return 400, {"message": [EVIL], "error": EVIL}
            return 201, {"id": f"asset{EVIL}", "status": "created"}
        case "GET", ["assets", _, "original"]:
            return 403, {"message": EVIL}
        case "GET", ["albums", *_]:
            return 200, [
                {"id": key, "albumName": name, "assetCount": 3}
                for key, name in server.albums.items()
            ]
        case "POST", ["albums"]:
            server.albums[f"album{EVIL}"] = wanted["albumName"]
            return 201, {"id": f"album{EVIL}", "albumName": EVIL}
        case "PUT", ["albums", _, "assets"]:
            fault = {"success": False, "error": EVIL, "errorMessage": EVIL}
            return 200, [{"id": one, **fault} for one in wanted["ids"]]
        case "POST", ["shared-links"]:
            return 201, {"key": f"key{EVIL}", "id": EVIL, "slug": EVIL}
        case "GET", ["shared-links", *more]:
            return 200, {} if more else []
    return 404, {"message": EVIL, "error": EVIL}


def _checked(server: EvilServer, item: dict[str, str]) -> dict[str, Any]:
    """All zeros are nobody's photo; what was asked about before is there, in the trash by its
    looks."""
    answer = {"id": item["id"], "reason": EVIL, "filename": EVIL}
    if item["checksum"] not in server.stored:
        server.stored[item["checksum"]] = f"asset{EVIL}"
        return {**answer, "action": "accept"}
    known = {"assetId": server.stored[item["checksum"]], "isTrashed": False}
    return {**answer, "action": "reject", "reason": "duplicate", **known}


def _no(server: EvilServer, method: str, path: str, body: bytes) -> Said:  # noqa: ARG001
    """An Immich server that takes no key."""
    if path.endswith("server/ping"):
        return 200, {"res": "pong"}
    if path.endswith("server/version"):
        return 200, {"major": EVIL, "minor": EVIL, "patch": EVIL}
    return 401, {"message": EVIL, "error": EVIL, "correlationId": EVIL}


def _form(server: EvilServer, method: str, path: str, body: bytes) -> Said:  # noqa: ARG001
    if method != "POST":
        return 200, {"message": EVIL}
    number = re.search(rb'filename="IMG_(\d)', body[:4000])
    return {
        b"1": (415, {"error": {"message": EVIL}}),
        b"2": (500, EVIL),
        b"3": (303, ""),
        b"4": (200, _PAGE),
        b"5": (409, {"message": EVIL}),
    }.get(number[1] if number else b"", (200, {"id": EVIL, "page": f"https://{EVIL}"}))


def _nas(server: EvilServer, method: str, path: str, body: bytes) -> Said:  # noqa: ARG001
    if method == "GET":
        return 200, {"server": "albumup", "store": EVIL, "version": EVIL}
    if path.endswith("/ask"):
        return 200, {
            "have": dict.fromkeys(json.loads(body)["sha256"], EVIL),
            "read": True,
            "message": EVIL,
        }
    digest = re.search(rb'name="sha256"\r\n\r\n([0-9a-f]{64})', body)
    assert digest is not None
    if b"IMG_1" in body[:2000]:
        return 422, {"error": EVIL}
    return 201, {"status": "created", "id": EVIL, "sha256": digest[1].decode()}


def _page(server: EvilServer, method: str, path: str, body: bytes) -> Said:  # noqa: ARG001
    return 200, _PAGE


def _moved(server: EvilServer, method: str, path: str, body: bytes) -> Said:  # noqa: ARG001
    return 301, _PAGE


_SAYS = {"well": _well, "no": _no, "form": _form, "nas": _nas, "page": _page, "moved": _moved}
