"""The state of a running uploader in a few lines, for ``status``. Loads few modules."""

from __future__ import annotations

from collections.abc import Sequence

from albumup.cli.escaping import escape
from albumup.cli.figures import local_time, size, span
from albumup.cli.layout import shortened
from albumup.cli.names import telling
from albumup.cli.words import utc
from albumup.journal.opening import paths_of
from albumup.journal.reading import Running
from albumup.photos.file_names import text_of
from albumup.session.snapshot import SILENT_SECONDS, Reader, Snapshot
from albumup.uploader.events import Pause, Upload

_MOST_NAMED, _WIDEST = 4, 24
"""The most photos in flight that are named, and the cells of a name."""


def snapshot_of(journal: str, run: Running) -> Snapshot | None:
    """The snapshot of the present run; None if there is none."""
    found = Reader(paths_of(journal)["live"]).look()
    return found if found is not None and found.run_id == run.id else None


def lines(now: Snapshot, clock: float) -> list[str]:
    """Lines with the speed, the time left, and the uploads in flight. ``clock``: Unix seconds."""
    lasted = clock - now.time
    if lasted >= SILENT_SECONDS:
        return [silent(now.pid, now.time, lasted)]
    said = [f"Process {now.pid}: {', '.join(_pace(now))}"]
    flying = [upload for upload in now.progress.uploads if upload is not None]
    if flying:
        said.append(_in_flight(flying))
    return [*said, *(_waiting(now, one) for one in now.progress.pauses if one.is_waiting)]


def _waiting(now: Snapshot, pause: Pause) -> str:
    title = now.titles.get(pause.target, pause.target)
    return f"{escape(title)} waits: {escape(pause.words)}"


def silent(pid: int, when: float, lasted: float) -> str:
    """The words for an uploader that has shown nothing since ``when`` (Unix seconds)."""
    since = f"has not moved for {span(lasted)}, since {local_time(when)}"
    return f"Process {pid} {since}. If it is suspended, let it go on with: kill -CONT {pid}"


def seconds_left(now: Snapshot) -> float | None:
    """Seconds left at the present rate; None if the rate does not tell."""
    if not now.rate or now.progress.pauses:
        return None
    return (now.progress.bytes_total - now.progress.bytes_done) / now.rate


def given_up_in(now: Snapshot, target: str, clock: float) -> float | None:
    """Seconds until a sick target is given up; None if that is not known."""
    found = next((pause for pause in now.progress.pauses if pause.target == target), None)
    return None if found is None else found.gives_up - (clock - now.time)


def _rounded(number: float | None) -> int | None:
    return None if number is None else round(number)


def as_json(now: Snapshot) -> dict[str, object]:
    """The keys of ``uploader`` in ``--json`` that come from the snapshot."""
    return {
        "seen": utc(now.time),
        "rate": _rounded(now.rate),
        "rate_limit": now.rate_limit,
        "jobs": now.jobs,
        "seconds_left": _rounded(seconds_left(now)),
        "stopping": now.is_draining,
        "uploads": [
            {"name": text_of(one.name), "size": one.size, "sent": one.moved}
            for one in now.progress.uploads
            if one is not None
        ],
        "pauses": [
            {
                "target": pause.target,
                "error": pause.words,
                "since": utc(now.time - pause.lasted),
                "given_up": utc(now.time + pause.gives_up) if pause.gives_up > 0 else None,
            }
            for pause in now.progress.pauses
        ],
    }


def _pace(now: Snapshot) -> list[str]:
    said = []
    if now.progress.pauses:
        said.append("paused")
    elif now.rate is not None:
        said.append(f"{size(now.rate)}/s")
    if (left := seconds_left(now)) is not None:
        said.append(f"{'' if now.progress.is_complete else 'at least '}{span(left)} left")
    if now.rate_limit is not None:
        said.append(f"limited to {size(now.rate_limit)}/s")
    if now.is_draining:
        said.append("stopping")
    return said or ["begins"]


def _in_flight(uploads: Sequence[Upload]) -> str:
    names = [upload.name for upload in uploads]
    said = [
        f"{shortened(escape(telling(one.name, names)), _WIDEST)} {_percent(one)} %"
        for one in uploads[:_MOST_NAMED]
    ]
    more = len(uploads) - len(said)
    return f"In flight: {', '.join(said)}{f' and {more} more' if more else ''}"


def _percent(upload: Upload) -> int:
    """The percentage of an upload: 100 % is shown only after the server's answer."""
    return min(99, 100 * upload.moved // max(1, upload.size))
