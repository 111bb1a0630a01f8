"""``albumup resume``: go on after any interruption."""

from __future__ import annotations

from albumup.cli import events
from albumup.cli.albums import opened, say_nothing_to_do
from albumup.cli.app import App
from albumup.cli.conclusion import Conclusion
from albumup.cli.sending import beginning, options_of
from albumup.cli.telling import send
from albumup.cli.typed import ResumeOptions
from albumup.session import others
from albumup.session.stopping import lift_holds


def run(app: App, albums: tuple[str, ...], target: str | None, given: ResumeOptions) -> int:
    """Settle interrupted uploads, lift holds, send all waiting photos; return the exit code."""
    if given["in_background"] is not None:
        from albumup.cli import background

        return background.run(app, given["in_background"], given)
    app.writes = True
    app.screen.never_wait()
    options = options_of(app, given)
    with beginning(app):
        found = opened(app, albums, target)
        unfinished = [] if found is None else lift_holds(*found)
    if found is None or not found[1]:
        return say_nothing_to_do(app, as_json=given["as_json"])
    journal, meant = found
    sent_already = others.scope_of_running(journal)
    for album in [one for one in unfinished if one.id not in sent_already]:
        app.screen.say(events.opening(journal, album))
    handed = unfinished if given["detach"] and unfinished else meant
    names = {album.id: album.name for album in handed}
    conclusion = Conclusion(app, journal, names, json=given["as_json"])
    if given["detach"]:
        from albumup.cli.detaching import detach

        return detach(conclusion, options, given)
    return send(conclusion, options)
