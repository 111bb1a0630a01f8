"""Reads, frames and sends one photo as a run would, outside any album and any journal."""

from __future__ import annotations

import asyncio
import os

from msgspec import Struct
from msgspec.structs import replace

from albumup.helpers import Threads
from albumup.journal.rows import Body, Task
from albumup.photos.metadata.reader import MetadataReader
from albumup.photos.pins import Pins
from albumup.photos.sniffing import ANYTHING, HEAD_BYTES, media_type
from albumup.photos.source import read_source
from albumup.targets.base import Photo, Target
from albumup.targets.bodies import Reading, body_of, head_of, photo_of, request_of, taken_of
from albumup.targets.sent_names import sent_name
from albumup.transfer import Meter, Sent
from albumup.transfer.connection import Connection
from albumup.transfer.payload import FilePayload
from albumup.transfer.wire import SocketNetwork


class Alone(Struct, frozen=True):
    """A photo that is ready to be sent."""

    task: Task
    body: Body
    photo: Photo
    head: bytes


def read_alone(
    target: Target,
    path: bytes,
    album: str,
    relative: bytes | None = None,
    *,
    index: int = 1,
    total: int = 1,
) -> Alone:
    """Read and frame the file at ``path`` (absolute). ``relative``, ``index`` and ``total`` may go
    into its form.

    Raises SourceGone, SourceChanged, LocalError, ConfigError.
    """
    pins, digests = read_source(path, target.digests)
    name = os.path.basename(path)
    mime = media_type(_head(path), name) or ANYTHING
    task = task_of(path, relative or name, mime, pins, album, index=index, total=total)
    with MetadataReader() as metadata:
        taken = taken_of(path, mime, target, metadata) if target.dates else None
    photo = photo_of(task, pins, digests, taken, target)
    sent_as = sent_name(target.filename(photo))
    task, photo = replace(task, sent_as=sent_as), replace(photo, sent_as=sent_as)
    body = body_of(task, Reading(pins, digests, taken, None), target, sent_as)
    return Alone(task, body, photo, head_of(task, body, target, photo))


def task_of(
    path: bytes,
    relative: bytes,
    mime: str,
    pins: Pins,
    album: str,
    *,
    index: int = 1,
    total: int = 1,
) -> Task:
    """A task that is in no journal."""
    return Task(
        id=0, album_id=0, album=album, root_id=0,
        path=path, relative=relative, volume="", card=0, mime=mime,
        size=pins.size, position=index, total=total, tries=0, attempts=0, refunds=0,
        maybe_twice=False, spool=False, seen=(pins.size, pins.mtime_ns), sent_as=None, body=None,
    )  # fmt: skip


def send_alone(target: Target, one: Alone) -> Sent:
    """Send a photo on a connection of its own; nothing is journaled."""
    return asyncio.run(_send(target, one))


async def _send(target: Target, one: Alone) -> Sent:
    async def before_last() -> None: ...

    request = request_of(one.photo, one.body, target)
    helpers = Threads()
    connection = Connection(request.url, target.peer, SocketNetwork(helpers))
    descriptor = os.open(one.task.path, os.O_RDONLY | os.O_CLOEXEC)
    payload = FilePayload(descriptor, one.body.pins.size)
    try:
        return await connection.send(
            request, one.head, payload, one.body.tail, Meter(), before_last
        )
    finally:
        os.close(descriptor)
        connection.close()
        helpers.close()


def _head(path: bytes) -> bytes:
    """The first bytes of a file; none if the file is gone by now: sending will report that."""
    try:
        with open(path, "rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""
