"""``albumup demo``: the whole story in a minute, on bundled pictures, in a journal of its own."""

from __future__ import annotations

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import command, option


@command(short_help="The whole story in a minute, on bundled pictures.")
@option("--keep", metavar="DIR", help="Let it happen in DIR, not in a new temporary folder.")
@shared
@pass_app
def demo(app: App, /, keep: str | None) -> int:
    """Upload an album to a server that drops a connection, refuses for a while, and rejects a file;
    kill, and resume.

    \b
      albumup demo
      albumup demo --keep ./demo     in a folder that you name

    Everything happens in a folder of its own, on this computer.
    """
    from albumup.cli.demo import run

    return run(app, keep)
