"""Progress on a terminal: one bar for the run and one for each upload; or a line every half minute."""

from __future__ import annotations

import time
from collections import deque
from typing import IO, Any

from albumup.cli.escaping import escape, name_of
from albumup.cli.figures import clock, short, size, span
from albumup.uploader.progress import Progress, Upload

_RATE_SECONDS = 10.0


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


class Bars:
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
    bar.desc, words = escape(desc), escape(words)
    bar.bar_format = "{desc}{percentage:3.0f}% |{bar}| " + words.replace("{", "{{").replace("}", "}}")
    bar.refresh()


def plain(progress: Progress, title: str, rate: Rate) -> str:
    speed = rate.value()
    pace = f", {size(speed)}/s" if speed else ""
    done, total = size(progress.bytes_done), size(progress.bytes_total)
    text = f"{title}: {progress.photos_done} of {progress.photos_total} photos, {done} of {total}{pace}"
    if progress.pauses:
        pause = progress.pauses[0]
        text += f"; paused for {span(pause.lasted)}, gives up in {span(pause.gives_up)}: {escape(pause.words)}"
    return text
