"""One class per kind of server: how to start one, how to reach it, how it speaks. The conformance
suite does the rest.

A new kind of target is held to the whole contract by adding its class here, and to ``KINDS``.
"""

from __future__ import annotations

import hashlib
import json
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote_to_bytes

from immich.fake import Immich
from servers import FormServer, Line, answer, form_of

from albumup.config.file import load
from albumup.receive import Receiver, Store, album_folder_name
from albumup.receive.names import photo_name
from albumup.targets.base import Asked, Photo, Target
from albumup.targets.registry import build
from albumup.transfer import Answer
from albumup.uploader.alone import Alone, read_alone

TOKEN = "open-sesame-9f31"
JSON = {"content-type": "application/json"}


def asked_about(one: Alone) -> Asked:
    """What the server is asked about a photo."""
    return Asked(one.task.sent_as or "", one.body.digests, one.body.pins.size)


def prepare(
    target: Target, path: bytes | Path, album: str = "trip", index: int = 3, total: int = 7
) -> Alone:
    """Read and frame a file for a target, as one of a push of several."""
    path = os.fsencode(path)
    return read_alone(
        target, path, album, b"day 1/" + os.path.basename(path), index=index, total=total
    )


def configured(folder: Path, table: str, name: str = "club") -> Target:
    """A target as the config file describes it; ``table`` are the lines of its table."""
    folder.mkdir(parents=True, exist_ok=True)
    config, token = folder / "config.toml", folder / "token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    config.write_text(f"[targets.{name}]\n{table}\n")
    return build(name, load(str(config)), {})


class Kind(ABC):
    """A server of one kind, running, and what to know of it. ``close`` ends it."""

    name: ClassVar[str]
    can_ask: ClassVar[bool]
    keeps_albums: ClassVar[bool] = False
    asks_by_album: ClassVar[bool] = True
    """A question is about one album, not about all that the account has."""
    undeclared: ClassVar[frozenset[str]] = frozenset()
    """Digests that are for the journal, and not told to the server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def target(self, url: str | None = None, token: str = TOKEN) -> Target:
        """A target for this server, or for another address, with this token."""

    def at(self, url: str, token: str, more: str = "") -> Target:
        """A target of this kind at that very address; ``more`` lines belong to its table."""
        (self.folder / "other").write_text(token)
        (self.folder / "other").chmod(0o600)
        return configured(
            self.folder, f'kind = "{self.name}"\nurl = "{url}"\ntoken_file = "other"\n{more}'
        )

    @property
    @abstractmethod
    def url(self) -> str:
        """The root of the server."""

    @abstractmethod
    def photos(self, album: str) -> set[tuple[str, str]]:
        """Name and SHA-256 of all that the server has stored in an album, by its own account."""

    def stored_as(self, prepared: Alone) -> str:
        """The name under which it keeps a photo."""
        return prepared.task.sent_as or ""

    @abstractmethod
    def stored(self, photo: Photo) -> Answer:
        """The server's own word that it has stored the photo."""

    def unrelated(self) -> Answer:
        """Some other program's word."""
        return Answer(200, "OK", JSON, b'{"status": "ok", "message": "up and running"}', True)

    @abstractmethod
    def close(self) -> None: ...


class Club(FormServer):
    """A form server with manners: it wants a token, knows its photos by their bytes, and calls them
    by an id."""

    def __init__(self) -> None:
        super().__init__()
        self.albums: dict[bytes, set[tuple[str, str]]] = {}

    def serve(self, line: Line, _number: int) -> None:
        if line.take_head().headers.get("authorization") != f"Bearer {TOKEN}":
            answer(401, {"error": "who are you?"})(line)
        elif line.head is not None and line.head.method == "GET":
            answer(200 if line.head.target == "/api/me" else 404, {"user": "anna"})(line)
        else:
            self._take(line)

    def _take(self, line: Line) -> None:
        assert line.head is not None
        received = form_of(line)
        assert received.fields["sha256"] == received.sha256
        photos = self.albums.setdefault(unquote_to_bytes(line.head.target.split("/")[2]), set())
        known = any(digest == received.sha256 for _, digest in photos)
        photos.add((received.filename, received.sha256))
        self.enter(received)
        answer(409 if known else 201, {"data": {"id": received.sha256[:8]}})(line)


class FormKind(Kind):
    name = "form"
    can_ask = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server = Club()

    @property
    def url(self) -> str:
        return self.server.origin

    def target(self, url: str | None = None, token: str = TOKEN) -> Target:
        url = url or self.url
        return self.at(
            f"{url}/albums/{{album}}/photos",
            token,
            'auth = "bearer"\n'
            f'file_field = "photo"\ncheck = "{url}/api/me"\nduplicate = [409]\nid = "data.id"\n'
            '[targets.club.fields]\ntitle = "{name}"\nsha256 = "{sha256}"\nsha1 = "{sha1}"\n'
            'md5 = "{md5}"',
        )

    def photos(self, album: str) -> set[tuple[str, str]]:
        return self.server.albums.get(os.fsencode(album), set())

    def stored(self, photo: Photo) -> Answer:
        said = json.dumps({"data": {"id": photo.digests["sha256"][:8]}}).encode()
        return Answer(201, "Created", JSON, said, True)

    def close(self) -> None:
        self.server.close()


class InboxKind(Kind):
    name = "inbox"
    can_ask = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.root = folder / "received"
        self.server = Receiver(Store(str(self.root)), token=TOKEN)
        self.server.start()

    @property
    def url(self) -> str:
        return self.server.url

    def target(self, url: str | None = None, token: str = TOKEN) -> Target:
        return self.at(url or self.url, token)

    def photos(self, album: str) -> set[tuple[str, str]]:
        folder = self.root / album_folder_name(album)
        found = [
            path for path in folder.glob("*") if path.is_file() and not path.name.startswith(".")
        ]
        return {(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in found}

    def stored_as(self, prepared: Alone) -> str:
        return photo_name(
            os.path.basename(prepared.task.path).decode(errors="replace").replace("\ufffd", "_")
        )

    def stored(self, photo: Photo) -> Answer:
        said = {"id": "trip/a.jpg", "sha256": photo.digests["sha256"], "status": "created"}
        return Answer(201, "Created", JSON, json.dumps(said).encode(), True)

    def close(self) -> None:
        self.server.stop()


class ImmichKind(Kind):
    name = "immich"
    can_ask = True
    keeps_albums = True
    asks_by_album = False
    undeclared = frozenset({"sha256"})

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server = Immich(keys={TOKEN: ["all"]})

    @property
    def url(self) -> str:
        return self.server.url

    def target(self, url: str | None = None, token: str = TOKEN) -> Target:
        return self.at(url or self.url, token)

    def photos(self, album: str) -> set[tuple[str, str]]:  # noqa: ARG002 - the account's, until they are put into one
        return {(one["name"], one["sha256"]) for one in self.server.assets()}

    def stored(self, photo: Photo) -> Answer:  # noqa: ARG002 - it names an id of its own
        said = {"id": "2b0c0f6e-6c3e-4f43-9b6d-0d9f6e4f9a51", "status": "created"}
        return Answer(201, "Created", JSON, json.dumps(said).encode(), True)

    def close(self) -> None:
        self.server.close()


KINDS: tuple[type[Kind], ...] = (FormKind, InboxKind, ImmichKind)
