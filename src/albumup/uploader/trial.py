"""One photo, outside any album and any journal: what ``target try`` shows."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass

from msgspec.structs import replace

from albumup.body import sent_name
from albumup.errors import UsageError
from albumup.helpers import Threads
from albumup.journal.rows import Task
from albumup.photos.file_names import text_of
from albumup.photos.metadata.reader import MetadataReader
from albumup.photos.sniffing import ANYTHING, HEAD_BYTES, media_type
from albumup.photos.source import SourceGone, read_source
from albumup.prepare import Reading, body_of, head_of, photo_of, taken_of
from albumup.retry import Circumstances, Finding, Outcome, health_of, outcome_of
from albumup.targets.base import Photo, Target
from albumup.targets.tokens import how_to_mend
from albumup.transfer import Meter, Request, Sent
from albumup.transfer.connection import Connection
from albumup.transfer.payload import FilePayload
from albumup.transfer.wire import SocketNetwork

ALBUM = "albumup-try"
_EXIT = {
    Outcome.UPLOADED: 0,
    Outcome.DUPLICATE: 0,
    Outcome.REFUSED: 4,
    Outcome.ASTRAY: 4,
    Outcome.SICK: 75,
}


@dataclass(frozen=True, slots=True)
class Trial:
    """Lines of the request's head and of the answer, the verdict, the rule behind it, and the exit code."""

    request: list[str]
    answer: list[str]
    verdict: str
    rule: str
    left: str
    """The traces that it leaves on the server, and how to remove them."""
    mend: str
    """The way on where the server refuses us; "" where it does not."""
    exit_code: int


def run_trial(target: Target, path: bytes) -> Trial:
    """Upload one file. Raises UsageError for a file that cannot be read, ConfigError."""
    path = os.path.abspath(path)
    try:
        pins, digests = read_source(path, target.digests)
    except SourceGone as gone:
        why = "a folder, and no photo" if os.path.isdir(path) else gone
        raise UsageError(f"{text_of(path)!r}: {why}", "name a photo that can be read") from gone
    name = os.path.basename(path)
    mime = media_type(_head(path), name) or ANYTHING
    seen = (pins.size, pins.mtime_ns)
    task = Task(0, 0, ALBUM, 0, path, name, "", 0, mime, pins.size, 1, 1, 0, 0, 0, False, False, seen, None, None)
    with MetadataReader() as facts:
        taken = taken_of(path, mime, target, facts) if target.dates else None
    photo = photo_of(task, pins, digests, taken, target)
    sent_as = sent_name(target.filename(photo))
    body = body_of(task, Reading(pins, digests, taken, None), target, sent_as)
    form = target.form(photo, sent_as)
    head = body.head if body.head is not None else head_of(task, body, target, photo)
    request = target.request(photo)
    request = Request(request.method, request.url, [*request.headers, ("Content-Type", body.content_type)])
    sent = asyncio.run(_send(target, request, head, path, pins.size, body.tail))
    lines = [f"{request.method} {request.url}"]
    lines += [f"{key}: {target.masked(value)}" for key, value in request.headers]
    lines += [f"[field] {key} = {target.masked(value)}" for key, value in form.fields]
    lines += [f"[file] {form.file_field or 'body'}: {form.filename}, {form.mime}, {pins.size} bytes"]
    photo = replace(photo, sent_as=sent_as)
    verdict = target.read_answer(sent.answer, photo) if sent.answer is not None else None
    around = Circumstances(False, False, can_ask=target.can_ask, digest_first=target.names_digest(photo))
    finding = outcome_of(sent, verdict, around, time.time())
    answer = [sent.detail or str(sent.fault)]
    if sent.answer is not None:
        text = sent.answer.text
        if text is None:
            text = "(what it says is in an encoding or charset that is not known here)"
        answer = [f"{sent.answer.status} {sent.answer.reason}"]
        answer += [f"{key}: {value}" for key, value in sent.answer.headers.items() if key != "set-cookie"]
        answer += ["", *text[:2000].splitlines()]
        answer = [target.masked(line) for line in answer]  # a server may say again what it was told
    words = f"{finding.outcome.replace('_', ' ')}" + (f": {finding.reason}" if finding.reason else "")
    words = target.masked(words)
    rule = verdict.rule if verdict else "no answer"
    left = target.masked(_left(target, photo, sent, finding))
    mend = how_to_mend(target, finding.status) if finding.outcome is Outcome.REFUSED else ""
    is_down = sent.answer is not None and not health_of(sent, time.time()).is_well
    return Trial(lines, answer, words, rule, left, mend, _EXIT.get(finding.outcome, 75 if is_down else 3))


async def _send(target: Target, request: Request, head: bytes, path: bytes, size: int, tail: bytes) -> Sent:
    """One body, on a connection of its own."""

    async def before_last() -> None:
        """Nothing is journaled."""

    helpers = Threads()
    connection = Connection(request.url, target.peer, SocketNetwork(helpers))
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return await connection.send(request, head, FilePayload(descriptor, size), tail, Meter(), before_last)
    finally:
        os.close(descriptor)
        connection.close()
        helpers.close()


def _left(target: Target, photo: Photo, sent: Sent, finding: Finding) -> str:
    """The traces of a photo that was tried."""
    match finding.outcome:
        case Outcome.UPLOADED:
            where = target.where_tried(photo, finding.remote_id, finding.url)
            return f"{photo.sent_as}, {where}; {target.removal}"
        case Outcome.DUPLICATE:
            known = finding.url or finding.remote_id
            return "nothing new: it says that it had the photo before" + (f": {known}" if known else "")
        case Outcome.IN_DOUBT:
            is_doubt = True
        case Outcome.ASTRAY:
            is_doubt = finding.is_doubt
        case _:
            is_doubt = False
    if is_doubt:
        look = f"look {target.where_tried(photo, '', '')}, and if it is there, {target.removal}"
        return f"perhaps {photo.sent_as}, for the answer proves neither: {look}"
    how_far = "as it says that it did not take the photo" if sent.whole else "as not all of the photo was sent"
    return f"nothing, {how_far}"


def _head(path: bytes) -> bytes:
    """The first bytes of a file; none if it is gone by now, which sending it will tell."""
    try:
        with open(path, "rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""
