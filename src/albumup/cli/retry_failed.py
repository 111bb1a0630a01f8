"""``albumup retry-failed``: failed photos get fresh tries. Without names, it works for cron."""

from __future__ import annotations

from albumup.cli.albums import opened, say_nothing_to_do
from albumup.cli.app import App
from albumup.cli.conclusion import Conclusion
from albumup.cli.cron import is_news, on_hold
from albumup.cli.sending import beginning, options_of
from albumup.cli.telling import send
from albumup.cli.typed import RetryOptions
from albumup.errors import AlbumupError, UsageError
from albumup.journal.opening import CorruptJournal
from albumup.session import rounds as rounds_of


def run(
    app: App, albums: tuple[str, ...], target: str | None, every: bool, given: RetryOptions
) -> int:
    """Give failed and missing photos fresh tries, then send all waiting ones."""
    app.writes = True
    is_cron = not albums and not every
    try:
        code = _retried(app, albums, target, given, is_cron=is_cron)
    except (UsageError, CorruptJournal):
        raise
    except AlbumupError as fault:
        if is_cron and not is_news(app, "error", str(fault)) and not app.screen.is_terminal:
            return fault.exit_code
        raise
    if is_cron:
        is_news(app, "error", "")
    return code


def _retried(
    app: App, names: tuple[str, ...], target: str | None, given: RetryOptions, *, is_cron: bool
) -> int:
    """Retry, and return the exit code.

    ``is_cron``: without names, so that photos get no more than their rounds.
    """
    app.screen.never_wait()
    options = options_of(app, given, patience=0.0)
    rounds = app.config.defaults.rounds if given["rounds"] is None else given["rounds"]
    is_silent = is_cron and not app.screen.is_terminal
    with beginning(app):
        found = opened(app, names, target)
    if found is None:
        return say_nothing_to_do(
            app, "nothing to retry", as_json=given["as_json"], is_silent=is_silent
        )
    journal, meant = found
    if not names:
        held = [album for album in meant if album.held]
        for album in held if not is_silent else ():
            app.screen.say(on_hold(journal, album))
        meant = [album for album in meant if not album.held]
        is_silent = is_silent or (bool(held) and not meant)
    if not meant:
        return say_nothing_to_do(
            app, "nothing to retry", as_json=given["as_json"], is_silent=is_silent
        )
    wanted = rounds_of.Wanted(rounds if is_cron else None, given["rejected"], given["in_doubt"])
    with beginning(app):
        rounds_of.begin(journal, app.config, meant, wanted, lifts_holds=bool(names))
    conclusion = Conclusion(
        app,
        journal,
        {album.id: album.name for album in meant},
        json=given["as_json"],
        is_cron=is_silent,
        has_rounds=is_cron,
        is_noted=is_cron,
        rounds=rounds,
    )
    return send(conclusion, options, hands_over=True)
