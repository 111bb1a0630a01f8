"""The destination of a push: read from its options, and put into words."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from albumup.cli import titles, words
from albumup.cli.escaping import escape
from albumup.cli.figures import photos
from albumup.config.from_options import FormOptions
from albumup.journal.reading import servers
from albumup.photos.file_names import command, quoted
from albumup.session.destination import GoesTo, Note, StaysInInbox, Wanted, kept_in

if TYPE_CHECKING:
    from albumup.cli.app import App
    from albumup.cli.typed import AddressOptions


def wanted(album: str, given: AddressOptions) -> Wanted:
    """The destination that the options of a push ask for."""
    companions = {
        "--field": given["fields"],
        "--file-field": given["file_field"],
        "--header": given["headers"],
        "--auth": given["auth"],
        "--token-file": given["token_file"],
        "--token-env": given["token_env"],
        "--success-text": given["success_text"],
        "--failure-text": given["failure_text"],
    }
    if given["url"] is None:
        return Wanted(
            album,
            given["target"],
            companions=[option for option, value in companions.items() if value],
        )
    by_url = FormOptions(
        given["url"],
        given["fields"],
        given["file_field"],
        given["headers"],
        given["auth"],
        given["token_file"],
        given["token_env"],
        success_text=given["success_text"],
        failure_text=given["failure_text"],
    )
    return Wanted(album, given["target"], by_url)


def kept_targets(app: App) -> dict[str, str]:
    """``kept_in`` the journal, which is opened for reading."""
    connection = app.reader()
    try:
        return kept_in(connection)
    finally:
        if connection is not None:
            connection.close()


def known_servers(app: App) -> dict[str, str]:
    """``reading.servers`` of the journal, which is opened for reading; empty without a journal."""
    connection = app.reader()
    if connection is None:
        return {}
    with closing(connection):
        return servers(connection)


def sentence_of(album: str, note: Note) -> str:
    """A note as a sentence."""
    name = words.shown_name(album)
    match note:
        case StaysInInbox():
            inbox = escape(titles.inbox_of(album))
            return f"{name} is also in {inbox} on this computer, and stays there"
        case GoesTo():
            before, now = escape(note.before), escape(note.now)
            where = f"went to {before}, and goes to {now}" if before != now else f"goes to {now}"
            return f"{name} {where} with the fields given now, also what waited"
    where = f"{escape(note.target)} ({escape(note.url)})"
    give_up = command("cancel", [album], f"--target {quoted(note.target)}")
    wait, them = ("waits", "it") if note.count == 1 else ("wait", "them")
    return f"{photos(note.count)} of {name} still {wait} for {where}; to give {them} up: {give_up}"
