"""Numbers as people read them: sizes, durations, counts."""

from __future__ import annotations

import time

_UNITS = ("kB", "MB", "GB", "TB", "PB")


def size(number: float) -> str:
    """A number of bytes as people read it: "4.4 GB".

    This is not humanize's function, which takes three times as long, for each photo.
    """
    if number < 1000:
        return f"{int(number)} B"
    power = 1
    while (number := number / 1000) >= 999.95 and power < len(_UNITS):
        power += 1
    return f"{number:.1f} {_UNITS[power - 1]}"


def short(number: float) -> str:
    """A number of bytes for a bar: "1.72G"."""
    for unit in ("", "k", "M", "G", "T"):
        if number < 999.5 or unit == "T":
            break
        number /= 1000
    return f"{number:.0f}{unit}" if not unit or number >= 99.95 else f"{number:.3g}{unit}"


def span(seconds: float) -> str:
    """A duration in seconds as text: "8 s", "7 min 52 s", "3 h 5 min", "4 days"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    if whole < 48 * 3600:
        minutes = whole % 3600 // 60
        return f"{whole // 3600} h" + (f" {minutes} min" if minutes else "")
    return f"{whole // 86400} days"


def ago(seconds: float) -> str:
    """A past duration in one unit, for a table's cell: "17 min ago", "3 h ago"."""
    if seconds < 5:
        return "now"
    unit = next((unit for unit in (3600, 60) if seconds >= unit), 1)
    return f"{span(seconds // unit * unit)} ago"


def local_time(seconds: float) -> str:
    """Unix seconds as a time of day: "14:02", with the date if it is not today."""
    then, now = time.localtime(seconds), time.localtime()
    is_today = then[:3] == now[:3]
    return time.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M", then)


def clock(seconds: float) -> str:
    """Seconds left, for a bar: "04:31" or "2:04:31"."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 sidecar", "3 sidecars"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def photos(number: int) -> str:
    """A number of photos: "1 photo", "3 photos"."""
    return counted(number, "photo")


def are(number: int) -> str:
    """The verb for a number of things: "is" or "are"."""
    return "is" if number == 1 else "are"


def were(number: int) -> str:
    """The verb for a number of past things: "was" or "were"."""
    return "was" if number == 1 else "were"
