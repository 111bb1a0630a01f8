"""Sends one photo outside any album and any journal, for ``target try``."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from albumup.errors import TryLater, UsageError
from albumup.photos.file_names import command, text_of
from albumup.photos.source import SourceGone
from albumup.retry import Circumstances, Finding, Outcome, outcome_of
from albumup.targets.base import Photo, Target, Unasked
from albumup.targets.bodies import request_of
from albumup.targets.tokens import how_to_mend
from albumup.transfer import Sent
from albumup.uploader.alone import read_alone, send_alone
from albumup.uploader.health import health_of

ALBUM = "albumup-try"
_EXIT = {
    Outcome.UPLOADED: 0,
    Outcome.DUPLICATE: 0,
    Outcome.REFUSED: 4,
    Outcome.WRONG_ADDRESS: 4,
    Outcome.SICK: 75,
}


@dataclass(frozen=True, slots=True)
class Trial:
    """Lines of the request's head and of the answer, the verdict, the rule that decided, and the
    exit code."""

    request: list[str]
    answer: list[str]
    verdict: str
    rule: str
    left: str
    """What the trial leaves on the server, and how to remove it."""
    mend: str
    """What to do if the server refuses us; "" if it does not."""
    exit_code: int


def run_trial(target: Target, path: bytes) -> Trial:
    """Upload one file. Raises UsageError for an unreadable file, ConfigError, TryLater."""
    path = os.path.abspath(path)
    _place(target)
    try:
        one = read_alone(target, path, ALBUM)
    except SourceGone as gone:
        why = "a folder, and no photo" if os.path.isdir(path) else gone
        raise UsageError(f"{text_of(path)!r}: {why}", "name a photo that can be read") from gone
    photo = one.photo
    form, request = target.form(photo, photo.sent_as), request_of(photo, one.body, target)
    sent = send_alone(target, one)
    lines = [f"{request.method} {target.masked(request.url)}"]
    lines += [f"{key}: {target.masked(value)}" for key, value in request.headers]
    lines += [f"[field] {key} = {target.masked(value)}" for key, value in form.fields]
    lines += [
        f"[file] {form.file_field or 'body'}: "
        f"{form.filename}, {form.mime}, {one.body.pins.size} bytes"
    ]
    verdict = target.read_answer(sent.answer, photo) if sent.answer is not None else None
    around = Circumstances(
        False, False, can_ask=target.can_ask, digest_first=target.names_digest(photo)
    )
    finding = outcome_of(sent, verdict, around, time.time())
    answer = [sent.detail or str(sent.fault)]
    if sent.answer is not None:
        text = sent.answer.text
        if text is None:
            text = "(what it says is in an encoding or charset that is not known here)"
        answer = [f"{sent.answer.status} {sent.answer.reason}"]
        answer += [
            f"{key}: {value}" for key, value in sent.answer.headers.items() if key != "set-cookie"
        ]
        answer += ["", *text[:2000].splitlines()]
        answer = [target.masked(line) for line in answer]  # a server may echo secrets
    words = f"{finding.outcome.replace('_', ' ')}" + (
        f": {finding.reason}" if finding.reason else ""
    )
    words = target.masked(words)
    rule = verdict.rule if verdict else "no answer"
    left = target.masked(_left(target, photo, sent, finding))
    mend = how_to_mend(target, finding.status) if finding.outcome is Outcome.REFUSED else ""
    is_down = sent.answer is not None and not health_of(sent, time.time()).is_well
    return Trial(
        lines, answer, words, rule, left, mend, _EXIT.get(finding.outcome, 75 if is_down else 3)
    )


def _place(target: Target) -> None:
    """Find the address to use, of several. Raises TryLater."""
    if target.is_placed:
        return
    try:
        target.place_itself(target.http())
    except Unasked as unasked:
        see = f"see: {command('target check', [target.name])}"
        raise TryLater(f"{target.name}: {unasked}", see) from unasked


def _left(target: Target, photo: Photo, sent: Sent, finding: Finding) -> str:
    """What a photo that was tried leaves on the server, in words."""
    match finding.outcome:
        case Outcome.UPLOADED:
            where = target.where_tried(photo, finding.remote_id, finding.url)
            return f"{photo.sent_as}, {where}; {target.removal}"
        case Outcome.DUPLICATE:
            known = finding.url or finding.remote_id
            return "nothing new: it says that it had the photo before" + (
                f": {known}" if known else ""
            )
        case Outcome.IN_DOUBT:
            is_doubt = True
        case Outcome.WRONG_ADDRESS:
            is_doubt = finding.is_doubt
        case _:
            is_doubt = False
    if is_doubt:
        look = f"look {target.where_tried(photo, '', '')}, and if it is there, {target.removal}"
        return f"perhaps {photo.sent_as}, for the answer proves neither: {look}"
    how_far = (
        "as it says that it did not take the photo"
        if sent.whole
        else "as not all of the photo was sent"
    )
    return f"nothing, {how_far}"
