"""The ways by which a notice reaches the user: a command, the desktop, apprise."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from albumup.config.unattended import DESKTOP, Unattended
from albumup.hooks import LIMIT_SECONDS, HookEnd, run_hook
from albumup.journal.notices import Notice
from albumup.journal.rows import plain
from albumup.journal.states import DONE, WANTING

NO_APPRISE = "notify: apprise is not installed: pipx inject albumup apprise"


class Handed(Struct, frozen=True):
    """The fate of a notice that was handed over.

    ``fault``: why a channel did not take it; ``lack``: what is missing on this computer;
    ``is_cut``: the end of this process has cut a channel off, which may have told it before.
    """

    is_taken: bool = False
    fault: str = ""
    lack: str = ""
    is_cut: bool = False


class Means(Struct, frozen=True):
    """The means of the channels.

    ``limit``: seconds for one channel; ``gives_up``: True as soon as nothing more is to be handed
    over.
    """

    env: Mapping[str, str]
    limit: float = LIMIT_SECONDS
    gives_up: Callable[[], bool] = lambda: False


def is_wanted(settings: Unattended, notice: Notice) -> bool:
    """Whether a channel wants the notice."""
    if not settings.on_done and not settings.notify:
        return False
    return settings.notify_on == "all" or notice.is_trouble


def hand_over(settings: Unattended, notice: Notice, means: Means) -> Handed:
    """Give a notice to the channels, one after the other."""
    found = list(_handed(settings, notice, means))
    return Handed(
        any(one.is_taken for one in found),
        "; ".join(one.fault for one in found if one.fault),
        next((one.lack for one in found if one.lack), ""),
    )


def _handed(settings: Unattended, notice: Notice, means: Means) -> Iterator[Handed]:
    if settings.on_done == (DESKTOP,):
        yield _on_desktop(notice, means)
    elif settings.on_done:
        yield _by_command(settings.on_done, notice, means)
    if settings.notify:
        yield _by_apprise(settings.notify, notice, means)


def as_json(notice: Notice) -> dict[str, Any]:
    """A notice as an object for programs, with the same keys for every cause."""
    message = notice.message
    return {
        "id": notice.key,
        "cause": notice.cause.value,
        "album": message.album,
        "target": notice.target,
        "title": message.title,
        "exit": message.exit,
        "counts": message.counts,
        "bytes": message.bytes,
        "words": message.words,
        "hint": message.hint,
        "command": message.command,
        "created": _utc(notice.created),
    }


def _variables(notice: Notice) -> dict[str, str]:
    counts, message = notice.message.counts, notice.message
    return {
        "ALBUMUP_NOTICE_ID": notice.key,
        "ALBUMUP_NOTICE_CAUSE": notice.cause.value,
        "ALBUMUP_ALBUM": message.album or "",
        "ALBUMUP_SENT": str(sum(counts.get(state, 0) for state in DONE)),
        "ALBUMUP_FAILED": str(sum(counts.get(state, 0) for state in WANTING)),
        "ALBUMUP_EXIT": str(message.exit),
    }


def _by_command(command: Sequence[str], notice: Notice, means: Means) -> Handed:
    given = json.dumps(as_json(notice)).encode() + b"\n"
    # An album's name may hold characters that no environment takes; a mark replaces them.
    own = {
        name: text.encode(errors="replace").decode() for name, text in _variables(notice).items()
    }
    return _told("on_done", _run(command, given, {**means.env, **own}, means))


def _on_desktop(notice: Notice, means: Means) -> Handed:
    command = desktop_command(_title(notice), _body(notice), means.env, sys.platform)
    if command is None:
        return Handed()
    return _told('on_done = "desktop"', _run(command, b"", means.env, means))


def desktop_command(
    title: str, body: str, env: Mapping[str, str], platform: str
) -> list[str] | None:
    """The command that shows a notification; None if there is no desktop to show it on."""
    if platform == "darwin":
        # The texts are arguments, not parts of the script, so the script never runs them.
        show = "display notification (item 2 of argv) with title (item 1 of argv)"
        script = ["-e", "on run argv", "-e", show, "-e", "end run"]
        return ["osascript", *script, title, body] if _is_there("osascript", env) else None
    has_display = env.get("DISPLAY") or env.get("WAYLAND_DISPLAY")
    if not (env.get("DBUS_SESSION_BUS_ADDRESS") and has_display):
        return None
    # https://specifications.freedesktop.org/notification-spec: the body may hold markup.
    marked = body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    command = ["notify-send", "--app-name=albumup", "--", title, marked]
    return command if _is_there("notify-send", env) else None


def _by_apprise(urls: Sequence[str], notice: Notice, means: Means) -> Handed:
    from importlib.util import find_spec

    if find_spec("apprise") is None:
        return Handed(lack=NO_APPRISE)
    # The addresses hold secrets, so they go through a pipe, and apprise's output is not passed on.
    given = json.dumps({"urls": urls, "title": _title(notice), "body": _body(notice)}).encode()
    # -P keeps modules in the working directory out.
    command = [sys.executable, "-P", "-m", "albumup.session.apprising"]
    end = _run(command, given, means.env, means)
    fault = f"notify failed: {end.fault}" if end.fault else ""
    return Handed(not fault, fault)


def _run(command: Sequence[str], given: bytes, env: Mapping[str, str], means: Means) -> HookEnd:
    return run_hook(command, given, env, limit=means.limit, gives_up=means.gives_up)


def _told(channel: str, end: HookEnd) -> Handed:
    return Handed(not end.fault, f"{channel} failed: {end.words}" if end.fault else "")


def _title(notice: Notice) -> str:
    album = notice.message.album
    return _sendable(f"albumup: {album}" if album else "albumup")


def _body(notice: Notice) -> str:
    message = notice.message
    words = "\n".join(filter(None, (message.words, message.hint or message.command)))
    return _sendable(words)


def _sendable(words: str) -> str:
    """A server's words as an argument can hold them: without NUL and lone surrogates."""
    return (plain(words) or "").replace("\0", "")


def _is_there(program: str, env: Mapping[str, str]) -> bool:
    import shutil

    return shutil.which(program, path=env.get("PATH", os.defpath)) is not None


def _utc(seconds: float) -> str:
    when = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return when.replace("+00:00", "Z")
