"""``albumup receive``: the receiving server, for another machine's push."""

from __future__ import annotations

from typing import Unpack

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import Whole, command, option
from albumup.cli.typed import ReceiveOptions


@command(short_help="Receive albums from other machines into a folder.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=str))
@option("--host", default="127.0.0.1", metavar="HOST", help="The address to listen on (127.0.0.1).")
@option(
    "--port",
    default=0,
    metavar="PORT",
    type=Whole(0, 65535),
    help="The port; a free one when not given.",
)
@option("--token-file", metavar="F", help="A file that holds the token clients must send (0600).")
@option(
    "--faults",
    metavar="LIST",
    help="Misbehave on purpose: drop=5%,stall=2%,503=10%,lost-answer=3%.",
)
@shared
@pass_app
def receive(app: App, /, folder: str, **given: Unpack[ReceiveOptions]) -> int:
    """Receive albums into DIR until Ctrl-C. Another host than this one can reach it only with
    --token-file.

    \b
      albumup receive ./photos --port 8090
      albumup receive ./photos --faults drop=5%,stall=2%,503=10%    a rehearsal

    It says what to type on the sending side, and at its end how much it received. No link below DIR
    is followed.
    """
    from albumup.cli.receive import run

    return run(app, folder, given)
