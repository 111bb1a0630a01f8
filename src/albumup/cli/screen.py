"""The only module that writes to a terminal: messages, tables, bars, and the escaping of what others say.

Data goes to stdout, everything else to stderr. Painting happens in one thread, the caller's.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Any, cast

from albumup.cli.outlet import Outlet
from albumup.errors import LocalError
from albumup.uploader.progress import Progress, Upload

_PLAIN_SECONDS = 30.0
_RATE_SECONDS = 10.0
_LONGEST = 400
_LAG = 1 << 14
"""Bytes that a terminal may be behind before the bars are painted no more."""
_COLOURS = {"red": "31", "yellow": "33", "green": "32", "bold": "1", "dim": "2"}


def escape(text: str | bytes, most: int = _LONGEST) -> str:
    """Text of others, fit for a terminal: no control, bidi or undecodable character gets through; not too long."""
    if isinstance(text, bytes):
        text = text.decode(errors="surrogateescape")
    if len(text) > most:
        text = text[: most - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    if letter.isprintable() and unicodedata.category(letter) != "Cf":
        return letter
    number = ord(letter)
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def name_of(path: bytes) -> str:
    """A photo's base name, escaped."""
    return escape(os.path.basename(path))


def size(number: float) -> str:
    """Bytes as people read them: "4.4 GB"."""
    from humanize import naturalsize

    return naturalsize(number, format="%.0f" if number < 1000 else "%.1f").replace("Bytes", "B").replace("Byte", "B")


def short(number: float) -> str:
    """Bytes for a bar: "1.72G"."""
    for unit in ("", "k", "M", "G", "T"):
        if number < 999.5 or unit == "T":
            break
        number /= 1000
    return f"{number:.0f}{unit}" if not unit or number >= 99.95 else f"{number:.3g}{unit}"


def span(seconds: float) -> str:
    """A duration: "8 s", "7 min 52 s", "3 h 5 min", "4 days"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    if whole < 48 * 3600:
        minutes = whole % 3600 // 60
        return f"{whole // 3600} h" + (f" {minutes} min" if minutes else "")
    return f"{whole // 86400} days"


def clock(seconds: float) -> str:
    """Time left for a bar: "04:31" or "2:04:31"."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def photos(number: int) -> str:
    return f"{number} photo" if number == 1 else f"{number} photos"


class Screen:
    """Where a command says what it has to say."""

    def __init__(self, *, quiet: bool, verbose: int, progress: str, color: str) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self._err: IO[str] = sys.stderr
        # A strict stream would raise on a name that is no UTF-8.
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        is_dumb = os.environ.get("TERM") == "dumb"
        is_terminal = self._err.isatty() and not is_dumb
        automatic = "bar" if is_terminal else "plain" if self._err.isatty() else "none"
        self._progress = automatic if progress == "auto" else progress
        if quiet:
            self._progress = "none"
        wanted = color == "always" or (color == "auto" and is_terminal and not os.environ.get("NO_COLOR"))
        self._color = wanted
        self._bars: _Bars | None = None
        self._outlet: Outlet | None = None
        self._plain_at = 0.0
        self._rate = Rate()

    def say(self, text: str, color: str = "") -> None:
        """A line on stderr; nothing under ``-q``."""
        if not self.quiet:
            self._write(self.paint(text, color))

    def complain(self, text: str) -> None:
        """A line that is not silenced."""
        self._write(text)

    def paint(self, text: str, color: str) -> str:
        return f"\033[{_COLOURS[color]}m{text}\033[0m" if color and self._color else text

    def _write(self, text: str) -> None:
        try:
            if self._bars is not None:
                self._bars.write(text)
            else:
                print(text, file=self._err, flush=True)
        except OSError:
            pass  # the terminal has gone; the work has not

    def show(self, progress: Progress, title: str) -> None:
        """Paint the bars, or every half minute a line, or nothing."""
        if self._outlet is not None and self._outlet.backlog > _LAG:
            return  # nobody looks
        if self._progress == "bar":
            self._rate.note(time.monotonic(), progress.bytes_done + progress.spooled_bytes)
            try:
                if self._bars is None:
                    self._bars = _Bars(self._err, len(progress.uploads))
                self._bars.show(progress, title, self._rate)
            except OSError:
                self._progress = "none"
        elif self._progress == "plain":
            now = time.monotonic()
            self._rate.note(now, progress.bytes_done)
            if now >= self._plain_at:
                self._plain_at = now + _PLAIN_SECONDS
                self._write(_plain(progress, title, self._rate))

    def never_wait(self) -> None:
        """From here on nobody who says something waits for the terminal, which may be stopped (Ctrl-S)."""
        try:
            self._err.flush()
            self._outlet = Outlet(self._err.fileno())
        except (OSError, ValueError):  # no such thing: what is said goes nowhere
            return
        self._err = cast(IO[str], _Stream(self._outlet, self._err))

    def wait_again(self, gives_up: Callable[[], bool]) -> bool:
        """Wait until all that was said is out. False once ``gives_up()`` says so: then it stays as it is."""
        if self._outlet is None:
            return True
        if not self._outlet.wait(gives_up):
            return False
        self._outlet.close()
        self._outlet, self._err = None, sys.stderr
        return True

    def end_bars(self) -> None:
        if self._bars is not None:
            with contextlib.suppress(OSError):  # the terminal has gone
                self._bars.close()
            self._bars = None


class _Stream:
    """What ``print`` and tqdm need of a stream, into an outlet."""

    def __init__(self, outlet: Outlet, stream: IO[str]) -> None:
        self._outlet, self._stream = outlet, stream
        self.encoding: str = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        if self._outlet.fault is not None:
            raise self._outlet.fault  # the terminal has gone: whoever paints wants to know
        self._outlet.put(text.encode(self.encoding, "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """It is on its way."""

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


def put(text: str) -> None:
    """A line of data on stdout. Raises BrokenPipeError, LocalError."""
    put_raw(f"{text}\n".encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
    put_flush()


def put_json(value: Any) -> None:
    """One JSON object a line, ASCII. Raises as ``put`` does."""
    put(json.dumps(value, ensure_ascii=True))


def put_raw(data: bytes) -> None:
    """Data on stdout as it is, not yet flushed. Raises as ``put`` does."""
    with _stdout_faults():
        sys.stdout.buffer.write(data)


def put_flush() -> None:
    """See to it that what was put is out. Raises as ``put`` does."""
    with _stdout_faults():
        sys.stdout.buffer.flush()


@contextlib.contextmanager
def _stdout_faults() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise LocalError(f"stdout: {error.strerror or error}") from error


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A plain table for people."""
    import tabulate

    tabulate.MIN_PADDING = 0  # else two columns more after each header
    text: str = tabulate.tabulate(list(rows), headers=headers, tablefmt="plain", disable_numparse=True)
    return "\n".join(line.rstrip() for line in text.splitlines())


class Rate:
    """Bytes a second over the last ten seconds. A failed try gives its bytes back, and the rate knows."""

    def __init__(self) -> None:
        self._notes: deque[tuple[float, int]] = deque()

    def note(self, now: float, done: int) -> None:
        self._notes.append((now, done))
        while len(self._notes) > 2 and now - self._notes[0][0] > _RATE_SECONDS:
            self._notes.popleft()

    def value(self) -> float | None:
        """None until there is a second to judge by."""
        if len(self._notes) < 2:
            return None
        (start, before), (end, after) = self._notes[0], self._notes[-1]
        return max(0.0, (after - before) / (end - start)) if end - start >= 1.0 else None


class _Bars:
    """One byte-weighted bar for the run, one line per upload below it; fixed slots, gone when they end."""

    def __init__(self, stream: IO[str], slots: int) -> None:
        from tqdm import tqdm

        tqdm.monitor_interval = 0
        self._write = tqdm.write
        self._stream = stream
        common: dict[str, Any] = {
            "file": stream,
            "dynamic_ncols": True,
            "leave": False,
            "mininterval": 0,
            "bar_format": "{desc}",
            "ascii": None if (getattr(stream, "encoding", None) or "").lower().startswith("utf") else True,
        }
        self._total: Any = tqdm(total=1, position=0, **common)
        self._slots: list[Any] = [tqdm(total=1, position=1 + number, **common) for number in range(slots)]
        self._since: dict[int, tuple[bytes, Rate]] = {}

    def write(self, text: str) -> None:
        self._write(text, file=self._stream)

    def show(self, progress: Progress, title: str, rate: Rate) -> None:
        least = "" if progress.is_complete else "≥"
        speed = rate.value()
        left = progress.bytes_total - progress.bytes_done
        eta = f" ETA {least}{clock(left / speed)}" if speed else ""
        words = f"{short(progress.bytes_done)}/{least}{short(progress.bytes_total)}"
        words += f" {short(speed)}B/s" if speed is not None else ""
        if progress.pauses:
            pause = progress.pauses[0]
            words = f"paused, gives up in {clock(pause.gives_up)}: {escape(pause.words, 30)}"
            eta = ""
        elif progress.spool_total and not progress.is_complete:
            words = f"copying {short(progress.spooled_bytes)}/{short(progress.spool_total)}; " + words
        desc = f"{title} {progress.photos_done}/{progress.photos_total} "
        # 100 % is shown only when the last answer is in.
        most = int(progress.bytes_total * 0.99) if any(progress.uploads) else progress.bytes_total
        _set(self._total, desc, min(progress.bytes_done, most), progress.bytes_total, words + eta)
        for number, (bar, upload) in enumerate(zip(self._slots, progress.uploads, strict=True)):
            self._show_slot(bar, number, upload)

    def _show_slot(self, bar: Any, number: int, upload: Upload | None) -> None:
        if upload is None:
            self._since.pop(number, None)
            bar.clear()
            return
        name, rate = self._since.get(number, (b"", Rate()))
        if name != upload.name:
            rate = Rate()
            self._since[number] = (upload.name, rate)
        rate.note(time.monotonic(), upload.moved)
        speed = rate.value()
        words = f"{short(upload.moved)}/{short(upload.size)}"
        if speed:
            words += f" {short(speed)}B/s {clock((upload.size - upload.moved) / speed)}"
        # 100 % is shown only when the answer is in, and then the line is another photo's.
        shown = name_of(upload.name)
        shown = shown if len(shown) <= 20 else shown[:9] + "…" + shown[-10:]
        _set(bar, f"  {shown:<20} ", min(upload.moved, int(upload.size * 0.99)), upload.size, words)

    def close(self) -> None:
        for bar in reversed([self._total, *self._slots]):
            bar.close()


def _set(bar: Any, desc: str, done: int, total: int, words: str) -> None:
    bar.total = max(total, 1)
    bar.n = min(done, bar.total)
    bar.desc = desc
    bar.bar_format = "{desc}{percentage:3.0f}% |{bar}| " + words.replace("{", "{{").replace("}", "}}")
    bar.refresh()


def _plain(progress: Progress, title: str, rate: Rate) -> str:
    speed = rate.value()
    pace = f", {size(speed)}/s" if speed else ""
    done, total = size(progress.bytes_done), size(progress.bytes_total)
    text = f"{title}: {progress.photos_done} of {progress.photos_total} photos, {done} of {total}{pace}"
    if progress.pauses:
        pause = progress.pauses[0]
        text += f"; paused for {span(pause.lasted)}, gives up in {span(pause.gives_up)}: {escape(pause.words)}"
    return text
