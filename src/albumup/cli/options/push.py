"""``albumup push``: scan, queue, upload."""

from __future__ import annotations

from typing import Unpack

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import HOW, NO_CONFIG, WHAT, WHERE, command, option
from albumup.cli.options.uploading import detach_option, upload_options
from albumup.cli.typed import PushOptions


@command(short_help="Queue every photo under PATH, then upload.")
@click.argument(
    "paths", nargs=-1, metavar="PATH...", type=click.Path(readable=False, path_type=str)
)
@option("--include", group=WHAT, multiple=True, metavar="GLOB", help="Only these (repeatable).")
@option("--exclude", group=WHAT, multiple=True, metavar="GLOB", help="Not these (repeatable).")
@option(
    "--since",
    group=WHAT,
    metavar="WHEN",
    help="Only photos changed since a date, or within 12h, 7d.",
)
@option(
    "--files-from",
    group=WHAT,
    metavar="FILE",
    help="Read paths from FILE (- for stdin), one a line or NUL-separated.",
)
@option("--no-recursive", group=WHAT, is_flag=True, help="Do not enter sub-folders.")
@option(
    "--follow-symlinks", group=WHAT, is_flag=True, help="Follow links that lead out of the folder."
)
@option("--hidden", group=WHAT, is_flag=True, help="Take hidden files too.")
@option(
    "--no-skip",
    group=WHAT,
    is_flag=True,
    help="Take what cameras, servers and tools leave (@eaDir, bins) too.",
)
@option(
    "--edited",
    group=WHAT,
    is_flag=True,
    help="What differs on this card was edited: send it as it is now.",
)
@option(
    "--album",
    group=WHERE,
    metavar="NAME",
    help="The album's name; the folder's when one folder is given.",
)
@option("--target", group=WHERE, metavar="T", help="A target of the config file.")
@option(
    "--share", "wants_share", group=WHERE, is_flag=True, help="Make a share link for the album."
)
@option(
    "-n",
    "--dry-run",
    group=HOW,
    is_flag=True,
    help="Say what would be queued, and where it would go.",
)
@option(
    "--spool",
    group=HOW,
    is_flag=True,
    default=None,
    help="Copy the photos first, so that the card can be taken out.",
)
@option("--spool-dir", group=HOW, metavar="DIR", help="Where to put the copies.")
@detach_option()
@option("--url", group=NO_CONFIG, metavar="U", help="A form to send to, without any config file.")
@option(
    "--field",
    "fields",
    group=NO_CONFIG,
    multiple=True,
    metavar="K=V",
    help="A field of the form (repeatable).",
)
@option("--file-field", group=NO_CONFIG, metavar="F", help="The name of the file's field (file).")
@option(
    "--header",
    "headers",
    group=NO_CONFIG,
    multiple=True,
    metavar="'K: V'",
    help="A header to send (repeatable).",
)
@option(
    "--auth",
    group=NO_CONFIG,
    metavar="A",
    help="bearer, header:NAME or none (basic: in the config file).",
)
@option("--token-file", group=NO_CONFIG, metavar="F", help="A file that holds the token (0600).")
@option(
    "--token-env",
    group=NO_CONFIG,
    metavar="V",
    help="The environment variable that holds the token.",
)
@option(
    "--success-text",
    group=NO_CONFIG,
    metavar="RE",
    help="What its answer says of a photo that it took.",
)
@option(
    "--failure-text",
    group=NO_CONFIG,
    metavar="RE",
    help="What its answer says of a photo that it will not take.",
)
@upload_options()
@shared
@pass_app
def push(app: App, /, paths: tuple[str, ...], **given: Unpack[PushOptions]) -> int:
    """Queue every photo and video under PATH, then upload them as one album.

    \b
      albumup push ./trip                   to the configured server, or the inbox
      albumup push ./trip --album "Trip 2026"
      albumup push ./trip --spool           copy first; the card can be taken out
      albumup push ./trip --detach          in the background; close the window
      albumup push ./trip --url https://photos.example.org/up --field a=trip

    Once it says that the photos are queued, it is safe to interrupt: albumup resume goes on.
    """
    from albumup.cli.push import run

    return run(app, paths, given)
