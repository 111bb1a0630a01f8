"""Runs exiftool: one process, started when first needed, asked through pipes, given up when it does
not answer.

exiftool reads one argument a line (``-stay_open``, ``-@ -``), so a name with a newline could inject
an option. Where there is /proc, exiftool gets no name: the file is open here, and is named by its
descriptor. Elsewhere, files with unusual names are not read.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import select
import signal
import subprocess
import threading
import time
from datetime import datetime

from albumup.photos.metadata.values import (
    DIGITIZED,
    FIRST_CLIP,
    ORIGINAL,
    Metadata,
    clip_moment,
    content_id,
    first,
    moment,
)
from albumup.processes import environment

SECONDS = 10.0
"""How long exiftool may take for one file, including its start."""

_OLDEST = (12, 38)
"""Older versions execute code from a file (CVE-2021-22204) or its name (CVE-2022-23935)."""

_FAILURES = 3
"""After so many failures in a row, exiftool is not asked again."""

_FAREWELL_SECONDS = 1.0

_MOST_BYTES = 1 << 16
"""The most bytes of an answer; a usual one has 300."""

_STILLS = (ORIGINAL, ("CreateDate", *DIGITIZED[1:]))
"""exiftool's CreateDate is EXIF's DateTimeDigitized, or the time in a movie's header."""
_CLIPS = (
    ("CreationDate", "ContentCreateDate", "DateCreated"),
    ("MediaCreateDate", "TrackCreateDate"),
)
"""Tags that go before CreateDate, and after it."""

_IDENTIFIERS = ("ContentIdentifier", "MediaGroupUUID")
_ARGUMENTS = (
    "-j",
    "-fast",  # no search for trailers at the end of a file
    "-api", "QuickTimeUTC",  # the times of movies with their offset
    *(f"-{name}" for names in (*_STILLS, *_CLIPS, _IDENTIFIERS) for name in names),
)  # fmt: skip

# At the end of its input, exiftool would wait for more in a busy loop. So a guard ends both when
# the pipe that replaces its stderr is closed, even if this process was killed.
_GUARD = """
exec 4<&0 5>&1 6<&2 </dev/null >/dev/null 2>/dev/null
"$@" <&4 >&5 4<&- 5>&- 6<&- &
exec 4<&- 5>&-
trap "" TERM
cat <&6
kill -TERM 0
wait
"""

_PLAIN = re.compile(rb"/[^\0-\x1f\x7f]*[^\0-\x20\x7f|]")


def program() -> str | None:
    """The exiftool on PATH; None if there is none, or if it is too old to be safe."""
    from shutil import which

    found = which("exiftool")
    return found if found is not None and _version(os.path.abspath(found)) >= _OLDEST else None


@functools.cache
def _version(found: str) -> tuple[int, ...]:
    try:
        answer = subprocess.run(
            [found, "-config", "", "-ver"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, start_new_session=True,
            env=environment(),
        )  # fmt: skip
        return tuple(int(part) for part in answer.stdout.decode("ascii").strip().split("."))
    except (OSError, ValueError, subprocess.SubprocessError):
        return (0,)


class ExifTool:
    """An exiftool process for all threads, which take turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._asked = 0
        self._failures = 0
        self._closed = False

    def read(self, path: bytes, descriptor: int, *, is_matroska: bool = False) -> Metadata | None:
        """exiftool's metadata of the file open as ``descriptor``; None if it has none.

        ``is_matroska``: DateTimeOriginal is then the segment's DateUTC, which is in 2001 if the
        clock was not set.
        """
        with self._lock:
            argument = _argument(path, descriptor)
            if self._closed or self._failures >= _FAILURES or argument is None:
                return None
            answer = self._ask(argument)
        if answer is None:
            return None
        if is_matroska and _is_unset(clip_moment(answer.get("DateTimeOriginal", ""))):
            answer.pop("DateTimeOriginal", None)
        return Metadata(
            _taken(answer),
            content_id(answer.get("ContentIdentifier") or answer.get("MediaGroupUUID", "")),
        )

    def close(self) -> None:
        """End the process, if there is one; later calls read nothing."""
        with self._lock:
            self._closed = True
            self._end()

    def _ask(self, argument: bytes) -> dict[str, str] | None:
        self._asked += 1
        try:
            if self._process is None:
                found = program()
                if found is None:
                    self._closed = True
                    return None
                self._process = _Process(found)
            answer = json.loads(
                self._process.ask(argument, self._asked) or b"[{}]", parse_float=str, parse_int=str
            )
            words = {str(key): value for key, value in answer[0].items() if isinstance(value, str)}
        except (OSError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
            self._failures += 1
            self._end()
            return None
        except BaseException:
            self._end()  # its late answer would be taken for the next file's
            raise
        self._failures = 0
        return words

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()


def _is_unset(when: datetime | None) -> bool:
    return when is None or when.replace(microsecond=0, tzinfo=None) == datetime(2001, 1, 1)


def _taken(answer: dict[str, str]) -> datetime | None:
    original, digitized = (moment(*(answer.get(name, "") for name in names)) for names in _STILLS)
    if digitized is not None and digitized.year < FIRST_CLIP:
        digitized = None  # the time in a movie's header, of a clock that was not set
    before, after = ([clip_moment(answer.get(name, "")) for name in names] for names in _CLIPS)
    return first([original, *before, digitized, *after])


class _Process:
    """An exiftool process and its guard."""

    def __init__(self, found: str) -> None:
        """Raises OSError."""
        watched, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "exiftool", found, "-config", "",
                 "-stay_open", "True", "-@", "-", "-common_args", *_ARGUMENTS],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=watched,
                bufsize=0, start_new_session=True,
                env={**environment(), "TZ": "UTC", "LC_ALL": "C"},
            )  # fmt: skip
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(watched)

    def ask(self, argument: bytes, number: int) -> bytes:
        """exiftool's answer. Raises OSError if it does not come in time, or does not end."""
        assert self._process.stdin is not None and self._process.stdout is not None
        until, output = time.monotonic() + SECONDS, self._process.stdout.fileno()
        self._process.stdin.write(b"%b\n-execute%d\n" % (argument, number))
        waiting = select.poll()
        waiting.register(output, select.POLLIN)
        answer, mark = b"", b"{ready%d}\n" % number
        while not answer.endswith(mark):
            left = until - time.monotonic()
            if left <= 0 or len(answer) > _MOST_BYTES:
                raise TimeoutError
            if waiting.poll(left * 1000):
                block = os.read(output, _MOST_BYTES)
                if not block:
                    raise BrokenPipeError
                answer += block
        return answer.removesuffix(mark).strip()

    def end(self) -> None:
        """End both; no process is left when this returns."""
        os.close(self._lifeline)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(_FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _argument(path: bytes, descriptor: int) -> bytes | None:
    """The name of a file for exiftool; None if it has no safe one."""
    if os.path.isdir(f"/proc/{os.getpid()}/fd"):
        return b"/proc/%d/fd/%d" % (os.getpid(), descriptor)
    path = os.path.abspath(path)
    return path if _PLAIN.fullmatch(path) else None
