"""The options of push, resume and retry-failed that say how to send, and their effect."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

from albumup.cli.escaping import escape
from albumup.cli.typed import SendingOptions
from albumup.config.file import parse_duration, parse_rate
from albumup.errors import UsageError
from albumup.journal.opening import paths_of
from albumup.session.unbegun import telling
from albumup.targets.registry import check_all
from albumup.uploader.options import Options

if TYPE_CHECKING:
    from albumup.cli.app import App


T = TypeVar("T")

PATIENCE_IN_BACKGROUND = 24 * 3600.0
"""Seconds for which an uploader in the background waits for a server by default."""


def options_of(
    app: App,
    given: SendingOptions,
    *,
    spool_dir: str | None = None,
    patience: float | None = None,
    in_background: bool = False,
) -> Options:
    """How to send, by the command's options, else [defaults], else the built-in values.

    ``patience``: seconds, the default of a command for cron; None for other commands.
    ``in_background``: this is the uploader that ``--detach`` started. Raises UsageError,
    ConfigError.
    """
    defaults = app.config.defaults
    check_all(app.config)

    timetable = _parsed("--limit-rate", given["limit_rate"], parse_rate) or defaults.limit_rate
    asked = _parsed("--patience", given["patience"], parse_duration)
    if asked is None and in_background and "patience" not in app.config.written:
        asked = PATIENCE_IN_BACKGROUND
    if asked is None:
        asked = defaults.patience if patience is None else patience
    retries = defaults.retries if given["retries"] is None else given["retries"]
    jobs = defaults.jobs if given["jobs"] is None else given["jobs"]
    spool_dir = spool_dir or defaults.spool_dir
    spool_folder = _own_folder(app, spool_dir) if spool_dir else paths_of(app.journal)["spool"]
    shown = {"retries": retries, "jobs": jobs, "patience": asked, "limit_rate": given["limit_rate"]}
    typed = {"retries": given["retries"], "jobs": given["jobs"], "patience": given["patience"]}
    typed["limit_rate"] = given["limit_rate"]
    return Options(
        retries=retries,
        jobs=jobs,
        patience=asked,
        limit=timetable,
        spool_folder=spool_folder,
        is_cron=patience is not None and given["patience"] is None,
        spends_again=patience is None,
        shown=shown,
        typed=tuple(name for name in shown if typed[name] is not None),
        may_run=lambda name: app.config.unattended(name).may_run,
        is_watched=app.screen.is_terminal,
        is_detached=in_background,
    )


def beginning(app: App) -> AbstractContextManager[None]:
    """While a command prepares what it sends: if nobody watches it and its journal fails, as on a
    full disk, the channels of the config tell the user."""

    def warn(words: str) -> None:
        app.screen.complain(f"Warning: {escape(words)}")

    is_watched = app.screen.is_terminal or not app.writes
    return telling(app.journal, app, warn, is_watched=is_watched)


def _parsed(option: str, text: str | None, parse: Callable[[str], T]) -> T | None:
    """The value of an option; None if it was not given. Raises UsageError."""
    try:
        return parse(text) if text is not None else None
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _own_folder(app: App, spool_dir: str) -> str:
    """This journal's own folder within ``spool_dir``: a sweep there deletes no other files."""
    name = f"albumup-{sha256(os.fsencode(app.journal)).hexdigest()[:12]}"
    return os.path.join(os.path.abspath(os.path.expanduser(spool_dir)), name)
