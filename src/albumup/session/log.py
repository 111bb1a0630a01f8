"""The log of uploaders in the background: ``JOURNAL.log`` and two former ones beside it.

The log may lose lines, but never delays or ends an upload: its errors stay in this module.
"""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache

from albumup.config.known_secrets import known
from albumup.config.shown_address import MASK
from albumup.disk import open_own

MOST_BYTES = 1 << 20
"""The most bytes of a log; before it would grow further, it becomes a former one."""
_PIECE = 1 << 16
_USER = re.compile(r"(?<=://)[^/\s]+(?=@)")
_QUERY = re.compile(r"(https?://[^\s?#]+\?)[^\s#]+")


def files_of(log: str) -> list[str]:
    """The log's files, the oldest first."""
    return [f"{log}.2", f"{log}.1", log]


def hidden(text: str) -> str:
    """A text without secrets.

    Masks replace the secrets that this process has read. In addresses, they also replace user
    names, passwords and queries, which may be other people's secrets.
    """
    for secret in known():
        text = _mask_of(secret).sub(MASK, text)
    return _QUERY.sub(rf"\1{MASK}", _USER.sub(MASK, text))


@cache
def _mask_of(secret: str) -> re.Pattern[str]:
    from albumup.targets.masking import mask_for

    return mask_for(secret)


class Log:
    """Appends lines with their time. Any thread may call it; it raises no error."""

    def __init__(
        self,
        path: str,
        *,
        also: Sequence[int] = (),
        clock: Callable[[], float] = time.time,
        write: Callable[[int, bytes], int] = os.write,
    ) -> None:
        """``also``: descriptors that lead into the log, too, for the output of others."""
        self.path = path
        self.may_rotate = False
        """Whether a full log is rotated here: only under the uploader's lock."""
        self.fault = ""
        """Why lines are lost at present; "" if none are."""
        self._also, self._clock, self._write = tuple(also), clock, write
        self._lock = threading.RLock()
        self._descriptor: int | None = None
        self._lost = 0
        self._is_torn = False
        """The last line was written only in part, without its end."""
        with self._lock:
            self._try(self._look)

    def line(self, text: str) -> None:
        """Append a text; each of its lines becomes a line of the log."""
        with self._lock:
            for one in hidden(text).split("\n"):
                self._try(lambda one=one: self._put(one))  # type: ignore[misc]

    def close(self) -> None:
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (OSError, ValueError) as error:  # ValueError: no calendar has that time
            self._lost += 1
            self.fault = getattr(error, "strerror", None) or str(error)
        else:
            self.fault = ""

    def _put(self, text: str) -> None:
        when = datetime.fromtimestamp(self._clock()).astimezone().isoformat(" ", "seconds")
        start = f"{when} [{os.getpid()}]"
        before = f"{start} {self._lost} lines were lost: {self.fault}\n" if self._lost else ""
        data = f"{before}{start} {text}\n".encode(errors="backslashreplace")
        self._look(len(data))
        assert self._descriptor is not None
        if self._is_torn:
            data = b"\n" + data
        done = self._write(self._descriptor, data)
        self._is_torn = 0 < done < len(data) or (self._is_torn and done == 0)
        if done < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._lost = 0

    def _look(self, coming: int = 0) -> None:
        """Open the file that is at the path now, with room for ``coming`` bytes."""
        there = _status(self.path)
        if there is not None and there.st_size + coming > MOST_BYTES and self.may_rotate:
            self._rotate()
            there = None
        if self._descriptor is None or there is None or not _is_open_as(self._descriptor, there):
            self._open()

    def _open(self) -> None:
        descriptor = open_to_append(self.path)
        self.close()
        self._descriptor, self._is_torn = descriptor, False
        for other in self._also:
            os.dup2(descriptor, other)

    def _rotate(self) -> None:
        oldest, former, present = files_of(self.path)
        with suppress(FileNotFoundError):
            os.replace(former, oldest)
        os.replace(present, former)


def open_to_append(path: str) -> int:
    """Open a file of ours that nobody else can read, made if it is missing; return the descriptor.

    Raises OSError.
    """
    descriptor = open_own(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        if os.fstat(descriptor).st_mode & 0o177:
            os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _is_open_as(descriptor: int, there: os.stat_result) -> bool:
    return os.path.samestat(os.fstat(descriptor), there)


class Reader:
    """Reads the log from its beginning and follows it, even while it is rotated."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.faults: dict[str, str] = {}
        """Why former logs cannot be read, by path."""
        self._waiting = self._opened()
        """The descriptors of the files to read, the oldest first; the last one may grow."""

    def is_empty(self) -> bool:
        """Whether there is no log file at all."""
        return not self._waiting

    def read(self) -> Iterator[bytes]:
        """The part of the log that was not read yet, in pieces. Raises OSError."""
        self._find_newer()
        while self._waiting:
            yield from _rest(self._waiting[0])
            if len(self._waiting) == 1:
                return
            os.close(self._waiting.pop(0))

    def close(self) -> None:
        while self._waiting:
            os.close(self._waiting.pop())

    def _find_newer(self) -> None:
        """Open the files that are newer than the last one that is open."""
        there = _status(self._path)
        last = self._waiting[-1] if self._waiting else None
        if there is None or (last is not None and _is_open_as(last, there)):
            return
        found = self._opened()
        known = [n for n, one in enumerate(found) if last is not None and _is_same(one, last)]
        first = known[-1] + 1 if known else 0
        for old in found[:first]:
            os.close(old)
        self._waiting += found[first:]

    def _opened(self) -> list[int]:
        """Open the log's files, the newest first; return the descriptors, the oldest first.

        A file that is rotated in between is then seen twice, which is noticed, and none is
        overlooked.
        """
        found: list[int] = []
        for path in reversed(files_of(self._path)):
            try:
                descriptor = open_own(path, os.O_RDONLY)
            except FileNotFoundError:
                continue
            except OSError as error:
                if path == self._path:
                    raise
                self.faults[path] = error.strerror or str(error)
                continue
            if any(_is_same(descriptor, other) for other in found):
                os.close(descriptor)
            else:
                found.insert(0, descriptor)
        return found


def _is_same(one: int, other: int) -> bool:
    return os.path.samestat(os.fstat(one), os.fstat(other))


def _rest(descriptor: int) -> Iterator[bytes]:
    if os.fstat(descriptor).st_size < os.lseek(descriptor, 0, os.SEEK_CUR):
        os.lseek(descriptor, 0, os.SEEK_SET)  # somebody has emptied the file
    while piece := os.read(descriptor, _PIECE):
        yield piece
