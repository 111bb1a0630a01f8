"""Messages for targets that are given up in a run: why, and what to check or to type."""

from __future__ import annotations

from collections.abc import Sequence

from albumup.config.file import OPTIONS
from albumup.config.shown_address import shown_address
from albumup.journal.rows import Task
from albumup.photos.file_names import command, quoted, text_of
from albumup.retry import Finding
from albumup.targets.base import Target
from albumup.uploader.upstream import Closing, Upstream

_OF_A_FORM = ("url", "file_field", "fields")
"""The keys that describe a form."""


def refused_alike(upstream: Upstream) -> Closing:
    """The closing of a target that refused several photos alike and never accepted one."""
    target, alike = upstream.target, upstream.same_refusals()
    finding, task = alike[0].finding, alike[0].task
    refused = f"{len(alike)} photos were refused alike, and none was ever accepted"
    words = f"{_called(target)}: {refused}: {finding.reason}"
    known = [key for key in _OF_A_FORM if hasattr(target.settings, key)]
    status = finding.status or 0
    if 200 <= status < 300:
        known += _success_keys(target, status)
    keys = ", ".join(target.key(key) for key in known)
    hint = f"Check {keys}; try it with: {_attempt(target, task)}"
    if status == 413:
        hint = f"Raise the limit of the server, or of a proxy in front of it. {hint}"
    return Closing(4, words, hint)


def wrong_address(upstream: Upstream, finding: Finding, photo: Task) -> Closing:
    """The closing of a target that answered the first photo like a wrong address or a portal."""
    target = upstream.target
    has_answered = finding.status is not None
    said = "answered the first photo with" if has_answered else "cannot be used"
    words = f"{_called(target)} {said}: {finding.reason}"
    yes_keys = _success_keys(target, finding.status or 0) if finding.is_doubt else ()
    named = " and ".join(target.key(key) if target.where == OPTIONS else key for key in yes_keys)
    may_be_yes = f"; if that is how it says yes: {named}" if named else ""
    trust = ""
    if finding.is_untrusted:
        words = f"{_called(target)}: its certificate is not trusted: {finding.reason}"
        by_options = target.where == OPTIONS
        file = (
            "REQUESTS_CA_BUNDLE=FILE before the command"
            if by_options
            else f"{target.key('ca_file')} = FILE"
        )
        trust = f"If an authority of your own issued it: {file} (PEM). "
    if target.where == OPTIONS:
        # Such a target is named after its host: another host is another target, and these photos
        # wait for this one.
        again = "push again with the right --url"
        if not has_answered:
            cancel = command("cancel", [photo.album], f"--target {quoted(target.name)}")
            again = f"{cancel}, then {again}"
        if named:
            may_be_yes += f" (all it says: {_attempt(target, photo)})"
        if finding.status == 400:
            may_be_yes += "; if the form is: with the right --file-field and --field"
        return Closing(4, words, f"{trust}If the address is wrong: {again}{may_be_yes}")
    form_keys = _OF_A_FORM if finding.status == 400 else ("url",)
    keys = ", ".join(target.key(key) for key in form_keys if hasattr(target.settings, key))
    return Closing(
        4, words, f"{trust}Check {keys}{may_be_yes}; try it with: {_attempt(target, photo)}"
    )


def wrong_address_asked(upstream: Upstream, reason: str, *, has_answered: bool) -> Closing:
    """The closing of a target that answered a question like a wrong address or a portal."""
    target = upstream.target
    said = "answered" if has_answered else "cannot be used"
    words = f"{_called(target)} {said}: {reason}"
    return Closing(4, words, _look_at(target))


def no_address(upstream: Upstream, reason: str) -> Closing:
    """The closing of a target that has several addresses, none of which leads to its server."""
    target = upstream.target
    words = f"{target.name}: none of its addresses leads to its server: {reason}"
    return Closing(4, words, _look_at(target))


def _success_keys(target: Target, status: int) -> Sequence[str]:
    """The keys that could make such an answer a success; of the options, only one can."""
    keys = target.success_keys(status)
    return [key for key in keys if target.where != OPTIONS or key == "success_text"]


def _attempt(target: Target, photo: Task) -> str:
    return command("target try", [target.name, text_of(photo.path)])


def _look_at(target: Target) -> str:
    return f"Check {target.key('url')}; see: {command('target check', [target.name])}"


def _called(target: Target) -> str:
    """The target's name and URL; the URL alone if that is its title."""
    return target.title if target.where == OPTIONS else f"{target.name}: {shown_address(target.at)}"
