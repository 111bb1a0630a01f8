"""How photos are sent: the options of push, resume and retry-failed for it, and what they come to."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from albumup.cli.help import HOW, F, Whole, option

if TYPE_CHECKING:
    from albumup.cli.app import App
    from albumup.uploader.options import Options


def _upload(patience: str) -> Sequence[Callable[..., Any]]:
    wait = f"How long to wait for a server that is down ({patience})."
    return (
        option("--retries", group=HOW, type=Whole(0), metavar="N", help="Tries after the first one (3)."),
        option("-j", "--jobs", group=HOW, type=Whole(1, 64), metavar="N", help="Uploads at once, 64 at most (4)."),
        option("--limit-rate", group=HOW, metavar="RATE", help='All together: 2M, or "08:00,1M 23:00,off".'),
        option("--patience", group=HOW, metavar="TIME", help=wait),
        option("--json", "as_json", group=HOW, is_flag=True, help="Events on stdout, one JSON object a line."),
    )


def upload_options(patience: str = "5m") -> Callable[[F], F]:
    """The options of push, resume and retry-failed that say how to send. ``patience``: what help says of it."""

    def added(command: F) -> F:
        for add in reversed(_upload(patience)):
            command = add(command)
        return command

    return added


def options_of(app: App, given: dict[str, Any], patience: float | None = None) -> Options:
    """How to send: the command's options, else [defaults], else the built-in ones. Raises UsageError, ConfigError.

    ``patience``: cron's, in seconds, of a command that is its.
    """
    from albumup.config.file import parse_duration, parse_rate
    from albumup.errors import UsageError
    from albumup.journal.opening import paths_of
    from albumup.targets.building import check_all
    from albumup.uploader.limits import RateLimit
    from albumup.uploader.options import Options

    defaults = app.config.defaults
    check_all(app.config)

    def parsed(option: str, parse: Any) -> Any:
        try:
            return parse(given[option]) if given.get(option) is not None else None
        except ValueError as error:
            raise UsageError(f"--{option.replace('_', '-')}: {error}") from None

    timetable = parsed("limit_rate", parse_rate) or defaults.limit_rate
    asked = parsed("patience", parse_duration)
    if asked is None:
        asked = defaults.patience if patience is None else patience
    retries = defaults.retries if given.get("retries") is None else given["retries"]
    jobs = defaults.jobs if given.get("jobs") is None else given["jobs"]
    spool_folder = given.get("spool_dir") or defaults.spool_dir
    spool_folder = _own_folder(app, spool_folder) if spool_folder else paths_of(app.journal)["spool"]
    shown = {"retries": retries, "jobs": jobs, "patience": asked, "limit_rate": given.get("limit_rate")}
    return Options(
        retries=retries,
        jobs=jobs,
        patience=asked,
        limit=RateLimit(timetable) if timetable is not None else None,
        spool_folder=spool_folder,
        is_cron=patience is not None and given.get("patience") is None,
        spends_again=patience is None,
        shown=shown,
        typed=tuple(name for name in shown if given.get(name) is not None),
    )


def _own_folder(app: App, spool_dir: str) -> str:
    """This journal's own folder within ``spool_dir``: what is swept there is nobody else's."""
    from hashlib import sha256

    name = f"albumup-{sha256(os.fsencode(app.journal)).hexdigest()[:12]}"
    return os.path.join(os.path.abspath(os.path.expanduser(spool_dir)), name)
