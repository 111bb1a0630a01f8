"""``albumup log``: the output of uploaders in the background."""

from __future__ import annotations

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import command, option


@command(short_help="The log of what runs in the background.")
@option("-f", "--follow", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@shared
@pass_app
def log(app: App, /, follow: bool) -> int:
    """What uploads that --detach began have written into their log, the oldest first.

    \b
      albumup log
      albumup log -f            as it is written; Ctrl-C leaves, and stops nothing
    """
    from albumup.cli.log import run

    return run(app, follow=follow)
