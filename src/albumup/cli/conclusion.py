"""The end of a command that uploads: its closing words, its summary, and its exit code."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from albumup.cli import cron, endings, events, titles, words
from albumup.cli.app import App
from albumup.cli.endings import Ending
from albumup.cli.layout import sentence
from albumup.cli.left import why_left
from albumup.cli.names import Names
from albumup.config.file import shown
from albumup.errors import AlbumupError, worst
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.lock import is_locked
from albumup.journal.opening import paths_of
from albumup.journal.reading import last_run
from albumup.journal.rows import Album
from albumup.journal.summary import RunSummary, Summary, run_summary_of, summary_of
from albumup.photos.file_names import text_of
from albumup.session.codes import settled_code
from albumup.session.news import News, busy, tell
from albumup.session.snapshot import Ended
from albumup.session.telling import Standing, Watched
from albumup.uploader.kinds import kind_of
from albumup.uploader.options import RunEnd

_MOST_STANDING = 12
"""The most albums that are told one by one when nobody uploads."""


@dataclass(slots=True)
class Conclusion:
    """Decides on the reports at the end of a run, and for whom they are."""

    app: App
    journal: Journal
    albums: dict[int, str]
    """The names of the chosen albums, by id."""
    json: bool = False
    is_cron: bool = False
    """Report only news since the last report, because nobody looks."""
    has_rounds: bool = False
    """The command is about cron's rounds, although somebody may look."""
    is_noted: bool = False
    """Reports are noted, so that they are not repeated when nobody looks."""
    rounds: int = 5
    before: dict[int, int] = field(default_factory=dict)
    """By album, the number of photos that were on the server before this command."""
    newest: int | None = None
    """The newest task before this command queued its own; None if the command queues nothing."""
    shortcomings: list[str] = field(default_factory=list)
    """Troubles from before the run, reported at its end; with any, the exit code is 3 at best."""
    was_short: bool = False
    """Whether there were such troubles, which were reported before."""
    lost: int = 0
    """The number of photos that were sent before, and are gone from their server."""
    titles: dict[str, str] = field(default_factory=dict)
    """The titles of this run's targets on screens, by name."""
    told: Sequence[int] = ()
    """The albums whose final standing was reported."""
    names: Names = field(init=False)
    """The names of photos on screens."""
    _news: News = field(init=False)
    _unfinished: frozenset[int] = frozenset()
    """Albums that had something left to do at the beginning."""

    def __post_init__(self) -> None:
        self.names = Names(self.journal, lambda: self.album_ids)
        whose = "" if self.has_rounds else "push "
        self._news = News(self.journal, self.is_noted, self.is_cron, whose)

    @property
    def album_ids(self) -> list[int]:
        return list(self.albums)

    def begin(self, standing: Standing) -> None:
        """Remember how the albums stand before anything is sent."""
        self.before, self._unfinished = standing.sent, standing.unfinished

    def note_shortcomings(self) -> None:
        """Note the troubles from before the run; if nobody looks, tell them only if new."""
        what = f"shortcomings {self.album_ids}"
        is_news = tell(self.journal, what, "\n".join(self.shortcomings))
        if not self.is_cron:
            return
        self.was_short = bool(self.shortcomings)
        for line in self.shortcomings if is_news else ():
            self.app.screen.complain(line)
        self.shortcomings = []

    def nothing_to_send(self) -> int:
        """Say that there is nothing to send; return the exit code for the albums' standing."""
        sums = self._sums()
        code = self._code(settled_code(sums))
        if not self.is_cron:
            ends = [self._settled(found) for found in sums]
            told = [one for one in ends if len(ends) == 1 or not one.is_well]
            nothing = [] if told or not sums else [f"nothing to do ({shown(self.app.journal)})"]
            self._conclude(told, code, nothing)
        self._put_summary(code, sums)
        return code

    def handed_over(self) -> int:
        """Put the summary after another process has taken the albums over; return the exit code."""
        self._put_summary(0, self._sums())
        return 0

    def in_background(self, pid: int, said: Sequence[str], lacks: Sequence[str]) -> int:
        """Say that process ``pid`` sends the albums in the background; return the exit code.

        ``said``: lines about that process. ``lacks``: lines about photos that could not be copied,
        for which the card is still needed.
        """
        code, sums = self._code(75 if lacks else 0), self._sums()
        for line in said:
            self.app.screen.say(line)
        self._conclude([], code, lacks)
        if self.json:
            self.app.tell(events.detached_event(pid, *events.shared_place(sums)))
        self._put_summary(code, sums)
        return code

    def not_in_background(self, said: Sequence[str], code: int) -> int:
        """Say that no uploader was started, or that its user left first; return the exit code."""
        self._conclude([], code, said)
        self._put_summary(code, self._sums())
        return code

    def followed(self, code: int | None, ended: Ended | None = None) -> int:
        """Say what another process has sent; return the exit code.

        ``code``: the run's exit code, None if the albums are settled. ``ended``: the run's end, as
        far as it is known.
        """
        sums = self._sums()
        said = self._reasons(sums, ended) if ended is not None and code is not None else []
        code = self._code(settled_code(sums) if code is None else code)
        had_work = [found for found in sums if found.album.id in self._unfinished] or sums
        followed = [RunSummary(found, self.before.get(found.album.id, 0)) for found in had_work]
        if not self.is_cron:
            ends = [
                endings.followed(self.journal, one, self._verb(one.now.album), code)
                for one in followed
            ]
            self._conclude(ends, code, said)
            self.told = [found.album.id for found in sums if not found.is_unfinished]
        self._put_summary(code, sums)
        return code

    def watched(self, seen: Watched) -> int:
        """Say how a watched process ended; return the exit code."""
        known = {album.id for album in runs.albums(self.journal)}
        sums = [summary_of(self.journal, one) for one in seen.album_ids if one in known]
        self.before = {}
        left = [one for one in sums if one.is_unfinished or one.is_wanting]
        news = [one for one in sums if one.there != seen.before.get(one.album.id, (-1,))[0]]
        told: Sequence[Summary] = (left or sums)[:_MOST_STANDING]
        if seen.run_id:
            told = [one for one in sums if one in news or one in left] or sums[:1]
            said = self._reasons(sums, seen.ended) if seen.ended is not None else []
        else:
            said = list(self._why_left(sums))
        self._conclude([self._seen(one, seen) for one in told], seen.code, said)
        self.told = [one.album.id for one in told if not one.is_unfinished]
        if seen.is_all and not seen.run_id:
            for line in _way_on(len(left or sums) - len(told), is_left=bool(left)):
                self.app.screen.say(line)
        self._put_summary(seen.code, sums)
        return seen.code

    def _seen(self, now: Summary, seen: Watched) -> Ending:
        """The closing words of an album that was watched."""
        before = seen.before.get(now.album.id)
        if before is None:
            return endings.standing(self.journal, now, self._verb(now.album))
        if seen.ended is not None:
            end = endings.run_end(seen.ended, seen.run_id, dict(seen.before))
            return self._sum_up(now, end)
        found = run_summary_of(self.journal, now, seen.run_id, *before, None)
        if not found.total:
            return endings.standing(self.journal, now, self._verb(now.album))
        return endings.followed(self.journal, found, self._verb(now.album))

    def _why_left(self, sums: Sequence[Summary]) -> Sequence[str]:
        """Lines about the reasons why the last run, which was not watched, left these albums."""
        if is_locked(paths_of(self.journal.path)["lock"]):
            return ()
        connection = self.journal.connection
        return why_left(self.app.journal, connection, last_run(connection), sums).lines

    def ended(self, end: RunEnd) -> int:
        """Say the closing words of this process's own run; return the exit code."""
        journal = self.journal
        known = {album.id for album in runs.albums(journal)}
        sums = [summary_of(journal, one) for one in end.before if one in known]
        code = self._code(end.exit_code)
        if end.fault is not None:
            said = _fault_lines(end.fault)
            if self._news.of_fault(str(end.fault)):
                self._conclude([], code, said)
        else:
            told = [
                found
                for found in busy(sums, end, self._unfinished)
                if not self._waits_for_leave(found, end) and self._news.of_album(found)
            ]
            waiting = {found.album.target for found in told if found.unsent}
            self._conclude(
                [self._sum_up(found, end) for found in told], code, self._held_up(end, waiting)
            )
            self._news.forget({found.album.target for found in sums} - set(end.closings))
            self.told = [found.album.id for found in told]
        self._put_summary(code, sums)
        return code

    def _waits_for_leave(self, found: Summary, end: RunEnd) -> bool:
        """Whether cron says nothing of an album: nothing was sent, and nothing may be sent now."""
        reason = end.closings.get(found.album.target)
        is_untouched = found.there == end.before[found.album.id][0]
        return self.is_cron and reason is not None and reason.is_waiting and is_untouched

    def _code(self, code: int) -> int:
        """The exit code of a run that would end with ``code``; shortcomings make it worse."""
        return worst([code, 3]) if self.shortcomings or self.was_short else code

    def _conclude(self, found: Sequence[Ending], code: int, said: Sequence[str] = ()) -> None:
        """Print the closing words, the lines ``said`` first; the exit code ends the last line."""
        if not self.is_cron:
            self._say_forgotten()
        lines = [(line, False) for line in [*said, *self.shortcomings]]
        lines += endings.composed(found, self.names)
        if self.is_cron and all(is_well for _, is_well in lines):
            code = 0  # the code is about something that was reported before
        for line, is_well in endings.with_code(lines, code):
            self.app.screen.say(line) if is_well else self.app.screen.complain(line)

    def _sums(self) -> list[Summary]:
        """The present sums of the chosen albums, without those that were forgotten meanwhile."""
        known = [album.id for album in runs.albums(self.journal)]
        return [summary_of(self.journal, one) for one in known if one in self.albums]

    def _say_forgotten(self) -> None:
        there = {album.id for album in runs.albums(self.journal)}
        for album_id, name in self.albums.items():
            if album_id not in there:
                self.app.screen.say(words.forgotten(name))

    def _held_up(self, end: RunEnd, waiting: Collection[str]) -> list[str]:
        """Lines about targets and folders that kept a run from sending everything.

        ``waiting``: targets whose albums are reported as waiting, so that the reason has to be
        given.
        """
        said = []
        for name, reason in end.closings.items():
            if self.is_cron and reason.is_waiting:
                continue
            if self._news.of_target(name, kind_of(reason.words)) or name in waiting:
                said += events.closed(self.titles.get(name, name), reason)
        for path, why in end.away.items():
            if self._news.of_root(text_of(path), why):
                said += events.away(self.journal, path, why)
        return said

    def _reasons(self, sums: Sequence[Summary], ended: Ended) -> list[str]:
        """Lines about the reasons why another process's run left some albums unfinished."""
        waiting = {found.album.target for found in sums if found.is_unfinished}
        if not waiting:
            return []
        end = endings.run_end(ended, 0, {})
        if end.fault is not None:
            return _fault_lines(end.fault)
        closings = {name: why for name, why in end.closings.items() if name in waiting}
        return self._held_up(replace(end, closings=closings), waiting)

    def _sum_up(self, now: Summary, end: RunEnd) -> Ending:
        """The closing words of an album with the sums ``now``."""
        journal, album = self.journal, now.album
        before, before_bytes = end.before[album.id]
        before = self.before.get(album.id, before)
        if self.is_cron:
            sums = RunSummary(now, before)
            return cron.cron_summary(
                journal, self.app.config, sums, self.rounds, self._verb(now.album)
            )
        found = run_summary_of(journal, now, end.run_id, before, before_bytes, self.newest)
        ending = endings.of_run(journal, found, end, self.names, verb=self._verb(album))
        return self._with_rounds(ending, album)

    def _verb(self, album: Album) -> str:
        return titles.verb_of(self.journal.connection, album, self.app)

    def _settled(self, now: Summary) -> Ending:
        how = self.journal, now, self.app.journal, self.names
        ending = endings.settled(*how, lost=self.lost, verb=self._verb(now.album))
        return self._with_rounds(ending, now.album)

    def _with_rounds(self, ending: Ending, album: Album) -> Ending:
        if not self.has_rounds:
            return ending
        return replace(ending, summary=ending.summary + cron.due(self.journal, album, self.rounds))

    def _put_summary(self, code: int, sums: Sequence[Summary]) -> None:
        if self.json:
            by_name = sorted(sums, key=lambda found: (found.album.name, found.album.target))
            self.app.tell(events.summary_event(code, by_name))


def _fault_lines(fault: AlbumupError) -> list[str]:
    hint = [sentence(fault.hint)] if fault.hint else []
    return [f"albumup: {fault}", *hint]


def _way_on(more: int, *, is_left: bool) -> list[str]:
    """The last lines when nobody uploads. ``more``: albums without a line of their own."""
    rest = [f"and {more} more: albumup status"] if more > 0 else []
    return rest if is_left else [*rest, "Nothing waits. Next: albumup push FOLDER"]
