"""``albumup verify``: may the folder be erased?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from albumup.cli.app import App, pass_app, shared

if TYPE_CHECKING:
    from albumup.journal.journal import Journal
    from albumup.journal.rows import Album

_MOST_NAMED = 20


@click.command(short_help="Ask the server for every photo: may the folder be erased?")
@click.argument("album")
@click.option("--target", metavar="T", help="Only the album on this target.")
@click.option("-0", "nul", is_flag=True, help="Print the proven paths, NUL after each, for xargs -0.")
@shared
@pass_app
def verify(app: App, /, album: str, target: str | None, nul: bool) -> int:
    """Ask the server whether it has every photo of ALBUM, read each one here again, and say whether the folder that was
    pushed is safe to erase.

    \b
      albumup verify trip
      albumup verify trip -0 | xargs -0 rm --

    Exit code 0 only if it is; nothing is changed anywhere.
    """
    from albumup.cli.albums import opened
    from albumup.errors import TryLater
    from albumup.targets.base import Unasked

    found = opened(app, [album], target)
    assert found is not None  # without a journal there is no such album
    journal, meant = found
    codes = []
    for one in meant:
        try:
            codes.append(_verify_one(app, journal, one, nul))
        except Unasked as unasked:
            raise TryLater(f"{one.target} could not be asked: {unasked}", "try again later") from None
    return max(codes)


def _verify_one(app: App, journal: Journal, album: Album, nul: bool) -> int:
    import sys

    from albumup.cli import words
    from albumup.cli.screen import escape, name_of, photos, put
    from albumup.journal.runs import is_unfinished, tally, target_definitions
    from albumup.targets.building import build
    from albumup.verify import Proof, is_by_name, verify

    say = app.screen.complain if nul else put
    title = words.title_of(journal, album)
    server = build(album.target, app.config, target_definitions(journal))
    try:
        if server.is_local or not server.can_ask:
            why = "which is on this computer" if server.is_local else "which cannot be asked"
            say(f"{title}: cannot be proven: it goes to {escape(server.address)}, {why}: not safe to erase    (exit 3)")
            return 3
        counts = tally(journal, album.id)
        app.screen.say(f"{title}: reading {photos(sum(counts.photos.values()))} and asking {escape(server.address)}")
        wrong: list[Proof] = []
        proven = total = 0
        for proof in verify(journal, album, server):
            total += proof.is_photo
            if proof.why_not:
                wrong.append(proof)
            elif proof.is_photo:
                proven += 1
                if nul:
                    sys.stdout.buffer.write(proof.path + b"\0")
        sys.stdout.buffer.flush()
    finally:
        server.close()
    for proof in wrong[:_MOST_NAMED]:
        say(f"  {name_of(proof.path)}  {escape(proof.why_not)}")
    if len(wrong) > _MOST_NAMED:
        say(f"  and {len(wrong) - _MOST_NAMED} more")
    where = escape(server.address)
    if not wrong and total and not is_unfinished(journal, album.id):
        what = (
            "these files are safe to erase, not the folders they lie in"
            if is_by_name(journal, album)
            else "safe to erase"
        )
        say(f"{title}: {proven} of {total} are on {where} and unchanged here: {what}")
        return 0
    also = sum(not proof.is_photo for proof in wrong)
    parts = [f"{proven} of {total} are on {where} and unchanged here"]
    if also:
        parts.append(f"{also} other {'file' if also == 1 else 'files'} in the folder")
    if is_unfinished(journal, album.id):
        parts.append(f"not all done yet (albumup resume {words.quoted(album.name)})")
    say(f"{title}: {'; '.join(parts)}: not safe to erase    (exit 3)")
    return 3
