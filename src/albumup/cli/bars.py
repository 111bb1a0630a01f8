"""Progress on a terminal: a bar for the run and one for each upload, or a line each half minute."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from albumup.cli.escaping import escape
from albumup.cli.figures import clock, counted, short, size, span
from albumup.cli.layout import LONGEST_LINE, cells, padded, shortened, size_of
from albumup.cli.names import telling
from albumup.session.rate import Rate

if TYPE_CHECKING:  # loading it, and asyncio with it, would take half of a small command's time
    from albumup.uploader.events import Progress, Upload

_WIDEST = 80
"""Columns at most: a wider line says no more, and leaves more behind when the window narrows."""
_LEAST_BAR = 4
"""The least number of cells in which a bar is still useful."""


class Bars:
    """One byte-weighted bar for the run, and a line for each upload below it; erased at the end.

    Between two paintings the cursor rests at the start of the first line. When the window changes
    in between, each terminal breaks or cuts the painted lines in its own way. But the cursor stays
    with its line, and everything below it belongs to the bars. So all of that is erased and painted
    again, and nobody has to count what became of it. No line is as wide as the terminal. While
    lines are painted, the terminal neither breaks them nor scrolls, even if it has become smaller:
    some multiplexers report a change a quarter of a second late.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._is_utf = (getattr(stream, "encoding", None) or "").lower().startswith("utf")
        self._since: dict[int, tuple[bytes, Rate]] = {}
        self._rows: list[_Row | None] = []
        self._painted: tuple[int, int, int] | None = None
        """Columns, rows, and the number of painted lines."""

    def write(self, text: str) -> None:
        """Write lines above the bars; they stay."""
        self._paint(f"{text}\n")

    def show(self, progress: Progress, title: str, rate: Rate, copying: Rate | None = None) -> None:
        """Paint the bars. ``rate``: of sending; ``copying``: of copying into the spool."""
        in_flight = [upload.name for upload in progress.uploads if upload is not None]
        uploads = (
            self._upload(number, upload, in_flight)
            for number, upload in enumerate(progress.uploads)
        )
        self._rows = [_run(progress, title, rate, copying), *uploads]
        self._paint()

    def close(self) -> None:
        self._stream.write(ERASE)
        self._stream.flush()

    def _paint(self, above: str = "") -> None:
        size_now = size_of(self._stream) or (80, 24)
        width = min(size_now[0], _WIDEST) - 1
        lines = [self._line(row, width) for row in _shown(self._rows, size_now[1])]
        layout_now = (*size_now, len(lines))
        start = "\r"
        if above or layout_now != self._painted:
            # Make room for all lines once, so that nothing scrolls while they are painted.
            start = ERASE + above + "\n" * (len(lines) - 1) + "\033[A" * (len(lines) - 1)
        body = "\033[K\r\033[B".join(lines)
        self._stream.write(f"{start}\033[?7l\0337{body}\033[J\0338\033[?7h")
        self._stream.flush()
        self._painted = layout_now

    def _line(self, row: _Row | None, width: int) -> str:
        return escape(row.line(width, self._is_utf), LONGEST_LINE) if row is not None else ""

    def _upload(
        self, number: int, upload: Upload | None, in_flight: Sequence[bytes]
    ) -> _Row | None:
        if upload is None:
            self._since.pop(number, None)
            return None
        name, rate = self._since.get(number, (b"", Rate()))
        if name != upload.name:
            rate = Rate()
            self._since[number] = (upload.name, rate)
        rate.note(time.monotonic(), upload.moved)
        speed = rate.value()
        moved = f"{short(upload.moved)}/{short(upload.size)}"
        words = [moved]
        if speed:
            words.insert(
                0, f"{moved} {short(speed)}B/s {clock((upload.size - upload.moved) / speed)}"
            )
        # 100 % needs the server's answer, and by then the line shows another photo.
        done = min(upload.moved, int(upload.size * 0.99))
        return _Row(escape(telling(upload.name, in_flight)), "", done, upload.size, words)


ERASE = "\r\033[K\0337\033[B\r\033[J\0338"
"""Erases from the cursor's line to the end of the screen.

It begins with the cursor's line, because tmux keeps text that is erased from the very top.
"""


@dataclass(frozen=True)
class _Row:
    """A line of the bars: its name, its progress, and its texts, the longest first."""

    name: str
    count: str
    """The count of photos; "" in an upload's line, where the name has a column of its own."""
    done: int
    total: int
    words: list[str]

    def line(self, width: int, is_utf: bool) -> str:
        """The row in ``width`` cells: with a bar if there is room, at least with its name."""
        from tqdm.std import Bar  # type: ignore[attr-defined]  # its stubs leave it out

        share = min(self.done / max(self.total, 1), 1.0)
        percent = f" {int(share * 100):3}%"
        head = _encoded(self._named(width) + percent, is_utf)
        words = [_encoded(text, is_utf) for text in self.words]
        for text in words:
            room = width - cells(head) - cells(text) - 4
            if room >= _LEAST_BAR:
                bar = Bar(share, room, Bar.UTF if is_utf else Bar.ASCII)
                return f"{head} |{bar}| {text}"
        fitting = [text for text in words if cells(head) + 2 + cells(text) <= width]
        if fitting:
            return f"{head}  {fitting[0]}"
        bare = self.count or "  " + shortened(_encoded(self.name, is_utf), width - 2 - len(percent))
        return shortened(bare + percent, width)

    def _named(self, width: int) -> str:
        if self.count:
            return f"{shortened(self.name, max(8, width // 3))} {self.count}"
        room = max(6, min(20, width // 3))
        return "  " + padded(shortened(self.name, room), room)


def _run(progress: Progress, title: str, rate: Rate, copying: Rate | None) -> _Row:
    """The row of the whole run."""
    least = "" if progress.is_complete else "≥"
    speed = rate.value()
    moved = f"{short(progress.bytes_done)}/{least}{short(progress.bytes_total)}"
    words = [moved]
    if progress.pauses:
        pause = progress.pauses[0]
        paused = "paused" + (
            f", gives up in {clock(pause.gives_up)}" if pause.gives_up >= 1 else ""
        )
        words = [f"{paused}: {escape(pause.words, 30)}", paused, "paused"]
    elif progress.is_queued:
        words = [f"{moved} waits its turn", moved]
    elif speed is not None:
        eta = (
            f" ETA {least}{clock((progress.bytes_total - progress.bytes_done) / speed)}"
            if speed
            else ""
        )
        words = [f"{moved} {short(speed)}B/s{eta}", f"{moved}{eta}", moved]
    if progress.spool_total and not progress.is_complete and not progress.pauses:
        copied = f"copying {short(progress.spooled_bytes)}/{short(progress.spool_total)}"
        pace = copying.value() if copying is not None else None
        both = [copied] if pace is None else [f"{copied} {short(pace)}B/s", copied]
        words = [*(f"{copy}; {text}" for copy in both for text in words), *both]
    # 100 % is shown only after the last answer.
    most = int(progress.bytes_total * 0.99) if any(progress.uploads) else progress.bytes_total
    count = f"{progress.photos_done}/{progress.photos_total}"
    return _Row(title, count, min(progress.bytes_done, most), progress.bytes_total, words)


def _shown(rows: Sequence[_Row | None], lines: int) -> Sequence[_Row | None]:
    """The rows that fit: a low terminal shows only the first uploads in flight."""
    room = max(1, lines - 2)
    if len(rows) <= room:
        return rows
    return [row for row in rows if row is not None][:room]


def _encoded(text: str, is_utf: bool) -> str:
    """A text as the stream will encode it, so that its width is known."""
    if is_utf:
        return text
    plain_text = text.replace("≥", ">=").replace("…", "~")
    return plain_text.encode("ascii", "backslashreplace").decode()


def plain(progress: Progress, title: str, rate: Rate) -> str:
    """The run in one sentence, for a log."""
    speed = rate.value()
    pace = f", {size(speed)}/s" if speed else ""
    counts = f"{progress.photos_done} of {progress.photos_total} photos"
    sizes = f"{size(progress.bytes_done)} of {size(progress.bytes_total)}"
    text = f"{title}: {counts}, {sizes}{pace}"
    if progress.is_queued:
        text += ", waits its turn"
    if progress.pauses:
        pause = progress.pauses[0]
        gives_up = f", gives up in {span(pause.gives_up)}" if pause.gives_up >= 1 else ""
        text += f"; paused for {span(pause.lasted)}{gives_up}: {escape(pause.words)}"
    return text


def asked(progress: Progress, title: str, rate: Rate) -> str:
    """The run in one sentence for a user who asks, with the time left and the uploads in flight."""
    speed = rate.value()
    left = (progress.bytes_total - progress.bytes_done) / speed if speed else 0.0
    text = plain(progress, title, rate)
    if left and not progress.pauses:
        text += f"; {'' if progress.is_complete else 'at least '}{span(left)} left"
    flying = sum(upload is not None for upload in progress.uploads)
    return f"{text}; {counted(flying, 'upload')} in flight"
