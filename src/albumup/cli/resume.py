"""``albumup resume``: go on after any interruption."""

from __future__ import annotations

from typing import Unpack

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import WHAT, command, option
from albumup.cli.sending import SendingOptions, options_of, upload_options


@command(short_help="Go on after any interruption.")
@click.argument("albums", nargs=-1, metavar="[ALBUM...]")
@option("--target", group=WHAT, metavar="T", help="Only albums on this target.")
@upload_options()
@shared
@pass_app
def resume(app: App, /, albums: tuple[str, ...], target: str | None, **given: Unpack[SendingOptions]) -> int:
    """Settle what was cut off, lift holds, then send all that is waiting.

    \b
      albumup resume            every album
      albumup resume trip
    """
    from albumup.cli import events
    from albumup.cli.albums import opened, say_nothing_to_do
    from albumup.cli.conclusion import Conclusion
    from albumup.cli.telling import send
    from albumup.journal import runs

    app.writes = True
    app.screen.never_wait()
    options = options_of(app, given)
    if (found := opened(app, albums, target)) is None:
        return say_nothing_to_do(app, as_json=given["as_json"])
    journal, meant = found
    with journal.transaction():
        runs.hold(journal, [album.id for album in meant], False)
    unfinished = [album for album in meant if runs.is_unfinished(journal, album.id)]
    if not meant:
        return say_nothing_to_do(app, as_json=given["as_json"])
    for album in unfinished:
        app.screen.say(events.opening(journal, album))
    names = {album.id: album.name for album in meant}
    return send(Conclusion(app, journal, names, json=given["as_json"]), options)
