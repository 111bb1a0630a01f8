"""``albumup verify``: prove an album's photos, and say whether the folder may be erased."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from albumup.cli import titles, words
from albumup.cli.again import fate_line
from albumup.cli.albums import opened
from albumup.cli.app import App
from albumup.cli.endings import forget_command
from albumup.cli.escaping import escape
from albumup.cli.figures import are, counted, photos, size, were
from albumup.cli.reasons import rows
from albumup.cli.screen import put, put_flush, put_raw
from albumup.cli.words import by_state, ended, shown_name
from albumup.config.file import shown
from albumup.errors import TryLater
from albumup.journal.states import DONE
from albumup.journal.summary import summary_of
from albumup.photos.file_names import command, quoted, text_of
from albumup.photos.leftovers import is_leftover, is_leftover_folder
from albumup.session.aside import aside
from albumup.session.verify.examine import CannotAsk, examine
from albumup.session.verify.findings import Kind, There
from albumup.session.verify.here import is_by_name
from albumup.targets.base import Unasked
from albumup.uploader.commands import retry_command

if TYPE_CHECKING:
    from albumup.journal.journal import Journal
    from albumup.journal.rows import Album
    from albumup.session.verify.examine import Examined
    from albumup.session.verify.findings import Finding, Outcome
    from albumup.session.verify.there import Copies

_MOST_NAMED = 20
_MOST_WAYS = 4


def run(app: App, album: str, target: str | None, deep: bool, nul: bool) -> int:
    """Ask the server for each photo of ALBUM, and read the folders; return the exit code."""
    return aside(_verify, app, album, target, deep, nul)


def _verify(app: App, album: str, target: str | None, deep: bool, nul: bool) -> int:
    found = opened(app, [album], target)
    assert found is not None  # without a journal, opened() has refused the album's name
    journal, meant = found
    codes = []
    printed: set[bytes] | None = set() if nul else None
    for one in meant:
        try:
            codes.append(_verify_one(app, journal, one, deep=deep, printed=printed))
        except Unasked as unasked:
            raise TryLater(
                f"{one.target} could not be asked: {unasked}", "try again later"
            ) from None
    return max(codes)


def _verify_one(
    app: App, journal: Journal, album: Album, *, deep: bool, printed: set[bytes] | None
) -> int:
    """Verify one album; return the exit code. ``printed``: the paths that -0 printed, else None."""

    def begin(address: str, total: int) -> None:
        where = escape(shown(address))
        app.screen.say(f"{title}: asking {where} for {photos(total)}, and reading what lies here")

    title = titles.title_of(journal, album)
    found = examine(journal, app.config, album, deep=deep, on_begin=begin)
    say = put if printed is None else app.screen.complain
    if isinstance(found, CannotAsk):
        accepted = (
            f"{found.accepted} of {found.total} were accepted by {escape(shown(found.address))}"
        )
        line = f"{title}: {accepted}, which cannot be asked: cannot be proven: not safe to erase"
        lines, code = [*_not_accepted(journal, album), words.ended(line, 3)], 3
    else:
        if printed is not None and not found.outcome.beside:
            _print_proven(found.findings, printed)
        lines, code = _lines(app, journal, album, found, title)
    for line in lines:
        say(app.completed(line))
    return code


def _print_proven(findings: Sequence[Finding], printed: set[bytes]) -> None:
    for one in findings:
        if one.kind is Kind.PROVEN and one.path not in printed:
            printed.add(one.path)
            put_raw(one.path + b"\0")
    put_flush()


def _lines(
    app: App, journal: Journal, album: Album, found: Examined, title: str
) -> tuple[list[str], int]:
    """All lines about an album, and the exit code."""
    lines = [
        *_details(app, found.findings, found.outcome),
        *ways_on(found.findings, found.folders, album, is_one=title == shown_name(album.name)),
        *_ways_back(journal, album, found.outcome, found.copies),
    ]
    if fate := fate_line(found.fate, found.address):
        lines.append(f"  {fate}")
    verdict, code = _verdict(journal, album, found)
    return [*lines, f"{title}: {verdict}"], code


def _not_accepted(journal: Journal, album: Album) -> list[str]:
    """Lines about photos not accepted by a server that cannot be asked, and what to type."""
    sums = summary_of(journal, album.id)
    rest = {state: count for state, count in sums.photos.items() if count and state not in DONE}
    lines = [f"  not accepted: {by_state(rest)}"] if rest else []
    if sums.unsent:
        lines.append(f"Not all done yet: {command('resume', [album.name])}")
    elif sums.wanting:
        lines.append(f"To try again what did not get there: {retry_command(journal, sums)}")
    return lines


def _details(app: App, findings: Sequence[Finding], outcome: Outcome) -> list[str]:
    """Lines that name unproven files, and count those that were left out."""
    unproven = [one for one in findings if one.kind is Kind.UNPROVEN]
    lines = _named(unproven[:_MOST_NAMED])
    if len(unproven) > _MOST_NAMED:
        lines.append(f"  and {len(unproven) - _MOST_NAMED} more")
    lines += [
        f"  {escape(one.path)}  {escape(one.words)}" for one in findings if one.kind is Kind.SIDECAR
    ]
    if app.screen.verbose:
        proven = [one for one in findings if one.kind is Kind.PROVEN]
        lines += [
            f"  {escape(one.path)}  {one.level.words} there, read again here" for one in proven
        ]
    for folder, count in sorted(outcome.bins.items()):
        lines.append(
            f"  {escape(folder)} is a bin, with {photos(count)} that {were(count)} not sent"
        )
    if outcome.made:
        lines.append(f"  made by a camera or a NAS for what is proven: {_counts(outcome.made)}")
    if outcome.others:
        lines.append(f"  not sent, and no photos: {_counts(outcome.others)}")
    for path, why_not in outcome.lost[:_MOST_NAMED]:
        lines.append(f"  {escape(path)}  not here, and {escape(why_not)}")
    if len(outcome.lost) > _MOST_NAMED:
        lines.append(f"  and {len(outcome.lost) - _MOST_NAMED} more that are not here")
    levels = {level.words: count for level, count in sorted(outcome.levels.items(), reverse=True)}
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(outcome.began))
    memory = f" ({outcome.from_memory} from memory)" if outcome.from_memory else ""
    lines.append(
        f"  proof: {_counts(levels)} there; {outcome.proven} read again here{memory}; {when}"
    )
    return lines


def _named(findings: Sequence[Finding]) -> list[str]:
    """A line for each file with its reason; a long reason stands once, above its files."""
    sharing: dict[str, list[str]] = {}
    for one in findings:
        sharing.setdefault(escape(one.words), []).append(escape(one.path))
    lines = []
    for why, paths in sharing.items():
        if rows(f"  {why}:") > 1 and len(paths) > 1:
            lines += [f"  {why}:", *(f"    {path}" for path in paths)]
        else:
            lines += [f"  {path}  {why}" for path in paths]
    return lines


def ways_on(
    findings: Sequence[Finding], folders: Sequence[bytes], album: Album, *, is_one: bool
) -> list[str]:
    """The commands that send files of the pushed folders that are not in the album.

    ``is_one``: no other album has its name.
    """
    wanted: dict[tuple[bytes, bool], set[str]] = {}
    for one in findings:
        folder = next(
            (folder for folder in folders if one.path.startswith(os.path.join(folder, b""))), None
        )
        if not one.is_new or folder is None:
            continue
        *above, name = os.path.relpath(one.path, folder).split(b"/")
        options = wanted.setdefault((folder, bool(one.pattern)), set())
        if one.pattern:
            options.add(f"--include {quoted(one.pattern)}")
        if any(part.startswith(b".") for part in (*above, name)):
            options.add("--hidden")
        if is_leftover(name) or any(map(is_leftover_folder, above)):
            options.add("--no-skip")
    where = [f"--album {quoted(album.name)}"]
    where += [] if is_one else [f"--target {quoted(album.target)}"]
    commands = [
        command("push", [text_of(folder)], *where, *sorted(options))
        for (folder, _), options in list(wanted.items())[:_MOST_WAYS]
    ]
    return [f"To send what is not in the album: {one}" for one in commands]


def _ways_back(journal: Journal, album: Album, outcome: Outcome, copies: Copies) -> list[str]:
    """The commands that send again photos that were pushed, lie here, and are missing there."""
    sums = summary_of(journal, album.id)
    if not outcome.unproven or sums.unsent:
        return []
    ways = []
    fates = ["is damaged"] if any(copy.is_damaged for _, copy in copies.photos) else []
    if outcome.levels[There.ACCEPTED]:
        fates.append("was deleted")
    if fates:
        ways.append(
            f"To send again what {' or '.join(fates)} there: {forget_command(journal, album)}"
        )
    if sums.wanting:
        ways.append(f"To try again what did not get there: {retry_command(journal, sums)}")
    return ways


def _verdict(journal: Journal, album: Album, found: Examined) -> tuple[str, int]:
    """The last line, and the exit code."""
    outcome, beside = found.outcome, escape(found.outcome.beside)
    where = f"{outcome.on_server} of {outcome.photos} are on {escape(shown(found.address))}"
    parts = [_gone(outcome)] if outcome.gone else []
    if outcome.sidecars:
        parts.append(
            f"{counted(outcome.sidecars, 'sidecar')}, "
            f"named above, {were(outcome.sidecars)} not sent"
        )
    if outcome.is_safe:
        is_named = is_by_name(journal, album)
        what = (
            "these files are safe to erase, not the folders they lie in"
            if is_named
            else "safe to erase"
        )
        return (
            f"{'; '.join([f'{where} and read again here', *parts])}: {what} "
            f"({size(outcome.frees)})",
            0,
        )
    if outcome.is_erased:
        is_there = 0 < outcome.photos == outcome.on_server
        said = "; ".join([where, *parts, *([beside] if beside else [])])
        return (said, 0) if is_there else (ended(f"{said}: not proven", 3), 3)
    if outcome.unproven:
        parts.append(
            f"{counted(outcome.unproven, 'file')} here {were(outcome.unproven)} not proven"
        )
    if summary_of(journal, album.id).unsent:
        parts.append(f"not all done yet ({command('resume', [album.name])})")
    if beside:
        parts.append(beside)
    return ended(f"{'; '.join([where, *parts])}: not safe to erase", 3), 3


def _gone(outcome: Outcome) -> str:
    gone = f"{outcome.gone} {are(outcome.gone)} gone here"
    return f"{gone}, and {len(outcome.lost)} not there either" if outcome.lost else gone


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {escape(word)}" for word, count in counts.items())
