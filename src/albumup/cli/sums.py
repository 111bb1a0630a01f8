"""The words for an album's sums: a function for each occasion."""

from __future__ import annotations

from albumup.cli.figures import photos, size, span, were
from albumup.journal.summary import RunSummary, Summary

RESUME = "albumup resume"


def of_stopped_run(found: RunSummary, code: int, verb: str, resume: str = RESUME) -> str:
    """The words for an album with photos that still wait.

    ``code``: the run's exit code; ``verb``: "sent" or "copied"; ``resume``: the command to go on.
    """
    is_held = found.now.album.held or code == 130
    stopped = "stopped, " if is_held or code in (129, 143) else ""
    return f"{stopped}{_waiting(found, verb)}. {_way_on(resume, is_held=is_held)}"


def of_album_on_hold(found: RunSummary, verb: str, resume: str, *, was_held: bool) -> str:
    """The words for an album without an uploader that ``stop`` put on hold, or found on hold."""
    already = "on hold already" if was_held else "on hold now"
    return f"{already}, {_waiting(found, verb)}. Until: {resume}"


def of_finished_album(found: RunSummary, verb: str) -> str:
    """The words for an album of which nothing was left to stop."""
    return f"nothing left to stop, {_of_total(found, verb)}{_not(found.wanting)}"


def of_ended_run(found: RunSummary, seconds: float, verb: str) -> str:
    """The words for an album without waiting photos.

    ``seconds``: the run's duration; ``verb``: "sent" or "copied".
    """
    if not found.total and found.now.is_pending_there:
        return "all sent"
    speed = found.sent_bytes / max(seconds, 0.001)
    pace = f" in {span(seconds)} ({size(found.sent_bytes)}, {size(speed)}/s)"
    there, before, earlier = found.found, found.before, found.earlier
    first = f"{_of_total(found, verb)}{pace if found.sent else ''}{_not(found.wanting)}"
    parts = [
        (there.known, "already there"),
        (there.twins, "twice in the folder"),
        (there.sent_to_it, f"of them {were(there.sent_to_it)} there already"),
        (before, f"{were(before)} there before"),
        (earlier, "still not, from before"),
    ]
    return "; ".join([first, *(f"{count} {words}" for count, words in parts if count)])


def of_settled(now: Summary, lost: int, verb: str = "sent") -> str:
    """The words for an album with nothing to send. ``lost``: photos that the server had."""
    gone = f" before, {lost} of them gone there" if lost else ""
    return f"nothing to do; {now.there} {verb}{gone}{_not(now.wanting)}"


def of_inherited(found: RunSummary, verb: str = "sent") -> str:
    """The words for an album with which a process in the background goes on."""
    return f"{_waiting(found, verb)}; goes on in the background"


def of_followed(found: RunSummary, verb: str = "sent", resume: str = RESUME) -> str:
    """The words for an album that another process has sent."""
    unsent = found.now.unsent
    way_on = _way_on(resume, is_held=found.now.album.held)
    waiting = f", {unsent} waiting. {way_on}" if unsent else ""
    return f"{found.sent} of {found.total} {verb}{_not(found.wanting)}{waiting}"


def of_standing(now: Summary, verb: str = "sent", resume: str = RESUME) -> str:
    """The words for an album that nobody sends."""
    line = f"{now.there} of {now.total} {verb}{_not(now.wanting)}"
    if not now.is_unfinished:
        return line
    waiting = (
        f", {now.unsent} waiting" if now.unsent else ", and not yet all done in the album there"
    )
    return f"{line}{waiting}. {_way_on(resume, is_held=now.album.held)}"


def of_late_notice(now: Summary, when: str, verb: str = "sent") -> str:
    """The words for an album that has settled without the user's knowledge."""
    return f"finished {when} ago: {photos(now.there)} {verb}{_not(now.wanting)}"


def _waiting(found: RunSummary, verb: str) -> str:
    if not found.now.unsent:
        return f"all {verb}, and not yet all done in the album there"
    return f"{_of_total(found, verb)}, {found.now.unsent} waiting{_not(found.wanting)}"


def _way_on(resume: str, *, is_held: bool) -> str:
    return f"{'On hold until' if is_held else 'Go on with'}: {resume}"


def _not(wanting: int) -> str:
    return f", {wanting} not" if wanting > 0 else ""


def _of_total(found: RunSummary, verb: str) -> str:
    return f"{found.sent} of {found.total} {verb}" if found.total else "nothing to send"
