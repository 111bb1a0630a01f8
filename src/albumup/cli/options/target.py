"""``albumup target``: set servers up, see and try them."""

from __future__ import annotations

from typing import Unpack

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import command, group, option
from albumup.cli.typed import AddOptions


@group(short_help="Set servers up, see and try them.")
@shared
def target() -> None:
    """Set servers up, see and try them.

    \b
      albumup target add home https://photos.example.org
      albumup target list
      albumup target check home
      albumup target try home ./trip/IMG_4101.HEIC
    """


@target.command("list", short_help="The targets, and which one is the default.")
@shared
@pass_app
def list_targets(app: App, /) -> int:
    """The targets of the config file, those that --url has left in the journal, and the built-in
    inbox.

    \b
      albumup target list
    """
    from albumup.cli.target import list_targets as list_targets_

    return list_targets_(app)


@target.command(short_help="A target's settings, secrets masked.")
@click.argument("name")
@shared
@pass_app
def show(app: App, /, name: str) -> int:
    """A target's settings as they are read, secrets masked.

    \b
      albumup target show home
    """
    from albumup.cli.target import show as show_

    return show_(app, name)


@target.command(short_help="Prove URL, credentials and limits without uploading.")
@click.argument("name", required=False)
@shared
@pass_app
def check(app: App, /, name: str | None) -> int:
    """Prove a target's URL, credentials and limits without uploading anything.

    \b
      albumup target check           the default target
      albumup target check home
    """
    from albumup.cli.target import check as check_

    return check_(app, name)


@target.command("try", short_help="Upload one photo outside any album, and show what is said.")
@click.argument("name")
@click.argument("photo", type=click.Path(path_type=str))
@shared
@pass_app
def try_(app: App, /, name: str, photo: str) -> int:
    """Upload one PHOTO outside any album: request head (secrets masked), answer, verdict, the rule
    that decided, and what that left on the server.

    \b
      albumup target try club ./trip/IMG_4101.HEIC
    """
    from albumup.cli.target import try_ as try__

    return try__(app, name, photo)


@command("add", short_help="Set a server up: found, tried, written into the config.")
@click.argument("name", required=False)
@click.argument("url", required=False)
@option("--kind", metavar="K", help="The kind of server, where it cannot be seen from outside.")
@option("--token-file", metavar="F", help="A file that holds the token or API key (0600).")
@option("--token-env", metavar="V", help="The environment variable that holds it.")
@option("--ca-file", metavar="F", help="Certificates to trust instead of the system's.")
@option("--default", "is_default", is_flag=True, help="Push there when no --target is given.")
@shared
@pass_app
def add(app: App, /, name: str | None, url: str | None, **given: Unpack[AddOptions]) -> int:
    """Set a server up as target NAME: see what kind it is, try it, and write it into the config
    file. What is not given is asked for; the token is not shown, and is kept in a file that only
    you can read.

    \b
      albumup target add
      albumup target add home https://photos.example.org
      albumup target add home https://photos.example.org --token-file ~/key
    """
    from albumup.cli.target_add import run

    return run(app, name, url, given)


target.add_command(add)
