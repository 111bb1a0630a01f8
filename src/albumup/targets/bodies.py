"""Makes bodies of photos and a target's form: read, digest, frame; frame again where the head holds
the token."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from msgspec import Struct
from msgspec.structs import replace

from albumup.config.file import OPTIONS
from albumup.errors import ConfigError
from albumup.journal.rows import Body, Task
from albumup.photos.file_names import name_of, text_of
from albumup.photos.metadata.reader import MetadataReader, what_reads
from albumup.photos.pins import Pins
from albumup.photos.sidecars import MOST_SIDECAR
from albumup.photos.source import Place, SourceChanged, SourceGone, read_source
from albumup.targets.base import Form, Photo, Target
from albumup.targets.multipart import Frame, frame, new_boundary
from albumup.transfer import Request

_MINUTE = timedelta(minutes=1)
_FIRST, _LAST = (datetime(year, 1, 1, tzinfo=UTC) for year in (2, 9999))
"""File systems keep times beyond the calendar's ends; a year within them any offset works."""


class Reading(Struct, frozen=True):
    """What one pass over a source found."""

    pins: Pins
    digests: dict[str, str]
    taken: str | None
    spool: str | None
    sidecar: bytes | None = None
    """The XMP file beside the photo, where it is sent along."""


def read(
    task: Task,
    target: Target,
    reader: MetadataReader,
    spool: Callable[[], tuple[str, int]] | None,
    on_block: Callable[[int], None],
) -> Reading:
    """Read a photo once for its digests and pins, and copy it if it is to be spooled.

    ``spool`` opens a file for the copy and returns its name and descriptor. Raises SourceGone,
    SourceChanged, AnotherVolume, LocalError, and whatever ``on_block`` raises to stop the reading.
    """
    taken = taken_of(task.path, task.mime, target, reader) if target.dates else None
    sidecar = _sidecar(task.sidecar_path) if task.sidecar_path is not None else None
    place = Place(task.volume)
    if spool is None:
        pins, digests = read_source(task.path, target.digests, place=place, on_block=on_block)
        return Reading(pins, digests, taken, None, sidecar)
    name, descriptor = spool()
    try:
        pins, digests = read_source(
            task.path, target.digests, place=place, copy_to=descriptor, on_block=on_block
        )
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return Reading(pins, digests, taken, name, sidecar)


def _sidecar(path: bytes) -> bytes | None:
    """A sidecar's content; None if it is unreadable, empty or too large: then the photo is sent
    without it."""
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_SIDECAR + 1)
    except OSError:
        return None
    return content if 0 < len(content) <= MOST_SIDECAR else None


def reread(
    task: Task,
    target: Target,
    reader: MetadataReader,
    copy: bytes | None,
    on_block: Callable[[int], None],
    *,
    same_zone: bool,
) -> Reading:
    """The earlier reading of a photo whose body is framed anew, completed by what the form needs
    beyond it.

    ``copy`` is the path of the spooled payload, which is read instead of the photo. ``same_zone``:
    the target's time zone is that of the earlier reading.

    Raises SourceChanged if the bytes differ now, SourceGone, AnotherVolume, LocalError,
    ConfigError.
    """
    body = task.body
    assert body is not None
    pins, digests, taken = body.pins, body.digests, body.taken
    if set(target.digests) - digests.keys():
        place = Place(task.volume) if copy is None else None
        now, digests = read_source(
            copy or task.path, target.digests, place=place, on_block=on_block
        )
        if digests["sha256"] != body.digests["sha256"]:
            raise SourceChanged("its bytes changed")
        pins = now if copy is None else pins
    if target.dates and (taken is None or not same_zone):
        taken = taken_of(task.path, task.mime, target, reader, copy, pins.mtime_ns)
    return Reading(pins, digests, taken, body.spool, task.sidecar)


def taken_of(
    path: bytes,
    mime: str,
    target: Target,
    reader: MetadataReader,
    copy: bytes | None = None,
    modified: int | None = None,
) -> str:
    """The capture date as ISO 8601 with an offset: the file's, else the target's ``timezone``, else
    the computer's.

    ``copy``: the file to read instead; ``modified``: the photo's modification time (ns), where it
    is known.

    Raises ConfigError if the file has no date and the target no fallback; SourceGone.
    """
    date = reader.read(copy or path, mime).taken
    if date is None:
        try:
            modified = os.stat(path).st_mtime_ns if modified is None else modified
        except OSError as error:
            raise SourceGone(error.strerror) from error
        if target.settings.taken_fallback != "mtime":
            install = what_reads(mime)
            fallback = f'Add {target.key("taken_fallback")} = "mtime"'
            if target.where == OPTIONS:  # no option sets taken_fallback
                fallback = "Send {modified} instead of {taken}"
            raise ConfigError(
                f"{text_of(path)!r} has no readable capture date, and a field of {target.name} "
                f"wants {{taken}}",
                fallback + (f"; or {install}" if install else ""),
            )
        date = moment_of(modified, _zone(target))
    elif date.tzinfo is None:
        date = placed(date, _zone(target))
    return date.isoformat()


def placed(date: datetime, zone: tzinfo | None) -> datetime:
    """Add the offset from UTC, in whole minutes, to a clock's time in a zone (None: the
    computer's).

    The clock's time stays as it is, also in the hour that spring skips. An hour that autumn repeats
    is the first one.
    """
    seconds = date.replace(tzinfo=UTC).timestamp() - date.replace(tzinfo=zone).timestamp()
    return date.replace(tzinfo=_offset(timedelta(seconds=seconds)))


def _offset(distance: timedelta) -> timezone:
    """An offset in whole minutes: towns had odd ones before there were time zones, and nobody reads
    ``+005328``."""
    return timezone(_MINUTE * round(distance / _MINUTE))


def moment_of(time_ns: int, zone: tzinfo | None) -> datetime:
    """A file's time (nanoseconds since 1970, UTC) in a zone (None: the computer's).

    Times beyond the years 2 to 9998 become the first or last moment of these: a wrong clock must
    hold up no photo.
    """
    try:
        moment = datetime.fromtimestamp(time_ns // 10**9, UTC).replace(
            microsecond=time_ns // 1000 % 10**6
        )
    except (OverflowError, ValueError, OSError):
        moment = _FIRST if time_ns < 0 else _LAST
    if not _FIRST <= moment <= _LAST:
        moment = min(max(moment, _FIRST), _LAST)
    moment = moment.astimezone(zone)
    distance = moment.utcoffset() or timedelta()
    is_in_minutes = not (distance.seconds % 60 or distance.microseconds)
    return moment if is_in_minutes else moment.astimezone(_offset(distance))


def photo_of(
    task: Task, pins: Pins, digests: dict[str, str], taken: str | None, target: Target
) -> Photo:
    """The values that fill the form's templates. Times carry an offset."""
    name = text_of(name_of(task.path))
    stem, suffix = os.path.splitext(name)
    values: dict[str, object] = {
        "album": task.album,
        "name": name,
        "stem": stem,
        "suffix": suffix,
        "path": text_of(task.relative),
        "size": pins.size,
        "mime": task.mime,
        "index": task.position,
        "total": task.total,
        **digests,
    }
    if target.times:
        values["modified"] = moment_of(pins.mtime_ns, _zone(target))
    if taken is not None:
        date = datetime.fromisoformat(taken)
        values["taken"] = placed(date.replace(tzinfo=None), date.tzinfo)
    return Photo(values, task.mime, digests, task.clip_id, task.sidecar, task.sent_as or "")


def body_of(
    task: Task,
    reading: Reading,
    target: Target,
    sent_as: str,
    definition: int | None = None,
    photo: Photo | None = None,
) -> Body:
    """Frame the body of a photo that is sent as ``sent_as``. Raises ConfigError for a field that
    cannot be filled.

    ``definition``: the journal's number of the target's definition. ``photo``: the result of
    ``photo_of``, if it is known already.
    """
    photo = photo or photo_of(task, reading.pins, reading.digests, reading.taken, target)
    if reading.sidecar is not photo.sidecar:
        photo = replace(photo, sidecar=reading.sidecar)
    form = target.form(photo, sent_as)
    boundary = new_boundary()
    framed = _frame(form, boundary)
    head, length = None, None
    if not form.secret:
        head, length = framed.head, len(framed.head) + reading.pins.size + len(framed.tail)
    return Body(
        head=head,
        tail=framed.tail,
        boundary=boundary,
        content_type=framed.content_type,
        length=length,
        pins=reading.pins,
        digests=reading.digests,
        taken=reading.taken,
        spool=reading.spool,
        definition=definition,
    )


def head_of(task: Task, body: Body, target: Target, photo: Photo) -> bytes:
    """The head to send: the journaled one, or a new one if it holds the token."""
    if body.head is not None:
        return body.head
    return _frame(target.form(photo, task.sent_as or ""), body.boundary).head


def request_of(photo: Photo, body: Body, target: Target) -> Request:
    """The target's request, with the headers that describe the body."""
    asked = target.request(photo)
    announced = ("Content-Type", body.content_type), ("Idempotency-Key", f'"{body.boundary}"')
    return Request(asked.method, asked.url, [*asked.headers, *announced])


def _frame(form: Form, boundary: str) -> Frame:
    if form.file_field is None:
        return Frame(b"", b"", form.mime)
    parts = [(part.field, (part.filename, part.content, part.mime)) for part in form.parts]
    return frame(form.fields, form.file_field, form.filename, form.mime, boundary, parts)


def _zone(target: Target) -> tzinfo | None:
    if not target.settings.timezone:
        return None
    from zoneinfo import ZoneInfo

    return ZoneInfo(target.settings.timezone)
