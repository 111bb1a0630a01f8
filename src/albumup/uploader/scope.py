"""The scope of a run: the albums asked for and those handed over by joiners, their targets, and the
work left."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice

from albumup.config.shown_address import identity_of
from albumup.journal import framing, pauses, runs
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.journal.states import State
from albumup.journal.summary import Summary, summary_of
from albumup.retry import LONGEST_ASKED_WAIT, LONGEST_WAIT, Rules
from albumup.targets.base import Target
from albumup.uploader.breaker import CRON_PHOTOS, Breaker
from albumup.uploader.building import Building
from albumup.uploader.left_behind import LeftBehind, unhold
from albumup.uploader.on_hold import OnHold, take_back
from albumup.uploader.options import RunEnd
from albumup.uploader.run import Run
from albumup.uploader.upstream import Closing, Upstream

_BUILD_SECONDS = 0.25
"""The longest wait for the first targets: what is built by then begins with the run itself."""


class Scope:
    """The albums and targets of one run. Methods that take the journal are called inside a
    transaction."""

    def __init__(self, run: Run, album_ids: list[int], build: Callable[[str], Target]) -> None:
        self.wanted = album_ids
        self.on_hold = OnHold(run, self.all_upstreams)
        self.retired: list[Upstream] = []
        """Upstreams whose targets were redefined; their uploads in flight end."""
        self._run = run
        self._queue = run.queue
        self._building = Building(run, build)
        self._left = LeftBehind(run)
        self._kept: dict[str, str | None] = {}
        """For each target used so far: its definition in the journal, if --url defined it."""
        self.worked_on: set[int] = set()
        """Albums with work left in this run."""
        self._before: dict[int, tuple[int, int]] = {}
        self._settled_before: dict[int, tuple[int, int]] = {}

    def all_upstreams(self) -> Iterator[Upstream]:
        yield from self._queue.upstreams.values()
        yield from self.retired

    async def close(self) -> None:
        await self._building.close()
        for upstream in self.all_upstreams():
            upstream.target.close()

    @property
    def unbuilt(self) -> dict[str, Closing]:
        """Why targets could not be built, by name."""
        return self._building.unbuilt

    def before(self, most: int | None = None) -> dict[int, tuple[int, int]]:
        """For each album of the run, or the first ``most``, the photos and bytes that were on the
        server before it."""
        albums = islice(self._queue.albums, most)
        return {album_id: self._before.get(album_id, (0, 0)) for album_id in albums}

    def ended(self, exit_code: int, seconds: float) -> RunEnd:
        """The result of the run."""
        run = self._run
        return RunEnd(
            exit_code=exit_code,
            run_id=run.outcomes.run_id,
            before=self.before(),
            closings=self._closed() | self.unbuilt,
            away={
                self._queue.roots[root_id].path: words
                for root_id, words in self._queue.away.items()
            },
            fault=run.fault,
            seconds=seconds,
        )

    def closings(self, unfinished: Collection[int]) -> dict[str, Closing]:
        """Why targets were given up, by name. Without those that could not be built for albums of
        joiners alone: a joiner perhaps can."""
        asked_for = {
            self._queue.albums[album_id].target
            for album_id in unfinished
            if album_id in self.wanted
        }
        unbuilt = {name: one for name, one in self.unbuilt.items() if name in asked_for}
        return self._closed() | unbuilt

    def _closed(self) -> dict[str, Closing]:
        """Why targets were given up that had been built, by name."""
        return {
            name: closing
            for name, upstream in self._queue.upstreams.items()
            if (closing := upstream.closing or upstream.albums_closing)
        }

    # Targets.

    def begin(self, journal: Journal) -> None:
        """Note what an earlier run left: it is settled once its target is built, or cannot be."""
        self._left.note(journal)

    def settle_all(self, journal: Journal) -> None:
        """At the end of the run, settle what an earlier one left, and let held tasks be sent again:
        by the next run."""
        for name in self._left.targets():
            self._left.settle(journal, name, self._upstream(journal, name))
        for task_id, name in pauses.held(journal):
            unhold(self._run, journal, task_id, self._upstream(journal, name))

    def _settle_built(self, journal: Journal) -> None:
        """Settle what an earlier run left at targets that are known by now."""
        for name in self._left.targets():
            if self._upstream(journal, name) is None and name in self.unbuilt:
                self._left.settle(journal, name, None)

    def _upstream(self, journal: Journal, name: str) -> Upstream | None:
        """The target's upstream, made once the target is built; None if it is not, or cannot be."""
        if name not in self._queue.upstreams:
            if (target := self._building.take(name)) is None:
                return None
            self._kept[name] = runs.target_definitions(journal).get(name)
            upstream = self._queue.upstreams[name] = self._new_upstream(journal, name, target)
            self._left.settle(journal, name, upstream)
            for bell in (self._queue.to_prepare, self._queue.to_ask, self._queue.to_place):
                bell.ring()
            self._queue.changed.wake()
        return self._queue.upstreams[name]

    async def build_first(self) -> None:
        """Begin to build the targets of the albums asked for and of those that an earlier run has
        left. Most are built when this returns, which is soon; the others are not waited for."""
        needed = await self._run.commits.read(self._begin_first)
        await self._building.rest(needed, _BUILD_SECONDS)

    def _begin_first(self, journal: Journal) -> set[str]:
        """Begin to build the first targets; return the names of those with work."""
        wanted = [one for one in runs.albums(journal) if one.id in self.wanted]
        needed = {one.target for one in wanted if runs.is_unfinished(journal, one.id)}
        needed |= {cut.target for cut in journal.cut_off()}
        needed |= {name for _, name in pauses.held(journal)}
        self._building.begin(journal, needed | {one.target for one in wanted})
        return needed

    def build_new(self, journal: Journal) -> None:
        """Begin to build the targets of albums handed over by joiners, and those redefined."""
        scope = set(runs.scope(journal, self._run.outcomes.run_id))
        if new := scope - self._queue.albums.keys() | self._targetless().keys():
            albums = [one for one in runs.albums(journal) if one.id in new and not one.held]
            names = {album.target for album in albums} - self._queue.upstreams.keys()
            self._building.begin(journal, names)

    def awaits_target(self, journal: Journal) -> bool:
        """Is a target still to be built for an album with work?"""
        return any(
            album.target not in self.unbuilt and runs.is_unfinished(journal, album.id)
            for album in self._targetless().values()
        )

    def _targetless(self) -> dict[int, Album]:
        """The albums of the run, by id, whose targets have no upstream."""
        upstreams = self._queue.upstreams
        return {one.id: one for one in self._queue.going() if one.target not in upstreams}

    def _new_upstream(self, journal: Journal, name: str, target: Target) -> Upstream:
        settings = target.settings
        rules = Rules(self._run.options.retries, target.can_ask, settings.resend, settings.settle)
        addresses = {identity_of(url) for url in target.addresses}
        proven = journal.accepted_urls().get(name) in addresses
        number = framing.define(journal, name, target.fingerprint, target.kept)
        breaker = self._breaker(journal, name, rules, proven=proven)
        upstream = Upstream(target, rules, breaker, definition=number)
        if len(target.addresses) == 1 and name in runs.servers(journal):
            journal.server_is(name, "")  # it is learnt anew from the next list
        upstream.may_run = tuple(self._run.options.may_run(name))
        upstream.waits = None if upstream.may_run else ""
        if (pause := pauses.left(journal).get(name)) is not None:
            upstream.sick_from = pause.since
            breaker.spent_photos = pause.spent
            breaker.fell_sick_before(pause.words, self._run.now())
        return upstream

    def _breaker(self, journal: Journal, name: str, rules: Rules, *, proven: bool) -> Breaker:
        """A target's breaker; if allowed, one that gave up because of ``resend = "never"`` may send
        photos again."""
        options = self._run.options
        if options.spends_again:
            pauses.may_spend_again(journal, [name])
        return Breaker(
            patience=options.patience,
            retries=rules.retries,
            proven=proven,
            jobs=options.jobs,
            most_photos=CRON_PHOTOS if options.is_cron else None,
            sends_once=rules.resend == "never" and not rules.can_ask,
        )

    def _retire_upstreams(self, journal: Journal) -> None:
        """Retire upstreams whose targets a joiner has redefined; nothing more is sent by the old
        definition."""
        texts, numbers = runs.target_definitions(journal), framing.numbers(journal)
        for name, text in list(self._kept.items()):
            upstream = self._queue.upstreams[name]
            if text == texts.get(name) and upstream.definition == numbers.get(name):
                continue
            del self._kept[name]
            self.retired.append(self._queue.retire(name))
            self._queue.to_prepare.ring()
        self._building.renew(journal)
        for upstream in self.retired:
            self._withdraw(journal, upstream)

    def _withdraw(self, journal: Journal, upstream: Upstream, album_id: int | None = None) -> None:
        """Send no more of an album (None: all) to a target that it does not go to any more."""
        self._queue.cut(upstream, album_id)
        take_back(self._run, journal, upstream, album_id)

    def end_pauses(self, journal: Journal) -> None:
        """End the pauses of targets to which no photo is left to send, also of albums that were
        stopped or are none of this run's."""
        waiting = pauses.waiting(journal)
        for name, upstream in self._queue.upstreams.items():
            if upstream.breaker.is_sick and upstream.closing is None and name not in waiting:
                pauses.well(journal, name)

    # Albums.

    def look(self, journal: Journal) -> None:
        """Update the scope: albums handed over by joiners, those put on hold, new roots, and the
        work left."""
        self._retire_upstreams(journal)
        self._settle_built(journal)
        known = {album.id: album for album in runs.albums(journal)}
        sums: dict[int, Summary] = {}
        for album_id in runs.scope(journal, self._run.outcomes.run_id):
            if album_id not in known:
                self._queue.albums.pop(album_id, None)
                continue
            sums[album_id] = summary_of(journal, album_id)
            self._look_at(journal, known[album_id], sums[album_id])
        self._count(journal, sums)
        self._wake_due(journal)

    def _look_at(self, journal: Journal, album: Album, found: Summary) -> None:
        """Update an album of the scope: it is new, changed, on hold, or comes back."""
        upstream = self._queue.upstream_of(album.id)
        if upstream is not None and upstream.target.name != album.target:
            self._withdraw(journal, upstream, album.id)
        self._queue.albums[album.id] = album
        is_new = album.id not in self._before or album.id in self._queue.stopped
        self._before.setdefault(album.id, (found.there, found.there_bytes))
        if album.held:
            self.on_hold.stop(journal, album)
            return
        if album.id in self._queue.stopped:
            self.on_hold.come_back(journal, album)
        self._upstream(journal, album.target)
        roots = runs.roots_of(journal, album.id)
        self._queue.roots.update({root.id: root for root in roots})
        if is_new:  # a pending photo gets at least one try a run
            now = journal.clock()
            journal.bring_forward([(album.id, root.id) for root in roots], now, now)
        pending = {root.id for root in roots}
        # Photos being sent now may become pending again.
        sending = (
            self._queue.album_roots.get(album.id, set()) if found.count(State.SENDING) else set()
        )
        self._queue.album_roots[album.id] = pending | sending
        if pending or sending:
            self.worked_on.add(album.id)

    def _count(self, journal: Journal, sums: Mapping[int, Summary]) -> None:
        """Count the run's photos. Of a stopped album, those that are in flight, sent or given
        up."""
        counts = self._run.outcomes.counts
        unprepared = spool_left = 0
        for album_id in self._queue.albums:
            found = sums.get(album_id) or summary_of(journal, album_id)
            # With these this run is done.
            settled = found.there + found.wanting, found.there_bytes + found.wanting_bytes
            before = self._settled_before.setdefault(album_id, settled)
            left = found.unsent, found.unsent_bytes
            if album_id in self._queue.stopped:
                left = found.count(State.SENDING), found.size(State.SENDING)
            counted = counts.albums[album_id]
            counted.total = settled[0] - before[0] + left[0]
            counted.total_bytes = settled[1] - before[1] + left[1]
            if album_id in self._queue.stopped:
                continue
            row = runs.unprepared(journal, album_id)
            unprepared += row[0]
            spool_left += row[1]
        counts.unprepared, counts.spool_left = unprepared, spool_left

    def is_current(self, journal: Journal) -> bool:
        """Has no album joined the scope, been put on hold or come back since the last look?"""
        on_hold = runs.on_hold(journal)
        queue, scope = self._queue, runs.scope(journal, self._run.outcomes.run_id)
        return all(
            album_id in queue.albums and (album_id in queue.stopped) == (album_id in on_hold)
            for album_id in scope
        )

    def _wake_due(self, journal: Journal) -> None:
        now = journal.clock()
        for upstream in self._queue.upstreams.values():
            if not upstream.has_ready and self._is_due(journal, upstream, now):
                upstream.has_ready = True
                self._queue.changed.wake()

    def _is_due(self, journal: Journal, upstream: Upstream, now: float) -> bool:
        """Has the time of a task come? One too far ahead is of a wrong clock, and is moved."""
        times = [
            journal.next_time(album_id, root_id, copies=root_id in self._queue.away)
            for album_id, root_id in self._queue.places_of(upstream)
        ]
        due = min((time for time in times if time is not None), default=None)
        if due is not None and due > now + LONGEST_ASKED_WAIT:
            journal.bring_forward(self._queue.places_of(upstream), now + LONGEST_ASKED_WAIT, now)
            return True
        return due is not None and due <= now

    def has_work(self, journal: Journal, album_id: int) -> bool:
        """Can anything still be done for this album in this run?"""
        upstream = self._queue.upstreams.get(self._queue.albums[album_id].target)
        is_open = upstream is not None and upstream.closing is None
        if upstream is None:
            return False
        away = self._queue.away
        roots = [root.id for root in runs.roots_of(journal, album_id)]
        for root_id in roots:
            first = journal.unprepared(album_id, root_id, 1)
            if first and root_id not in away and (is_open or first[0].spool):
                return True
            if is_open and framing.stale(journal, album_id, root_id, 1, copies=root_id in away):
                return True
        if not is_open:
            return False
        keeps = upstream.target.keeps_albums and upstream.albums_closing is None
        if keeps and (
            journal.members_pending_count(album_id, 1) or runs.is_share_pending(journal, album_id)
        ):
            return True
        if journal.unasked_count(album_id, 1) or journal.unpaired(album_id, 1):
            return True
        # A photo whose retry lies beyond our patience is left for another run.
        soon = journal.clock() + max(upstream.breaker.patience, LONGEST_WAIT)
        times = [journal.next_time(album_id, root_id, copies=root_id in away) for root_id in roots]
        return (
            any(time is not None and time <= soon for time in times)
            or journal.next_doubt([album_id]) is not None
        )

    def code_of(self, album_id: int) -> int:
        """The exit code for an unfinished album."""
        name = self._queue.albums[album_id].target
        upstream = self._queue.upstreams.get(name)
        closing = self.unbuilt.get(name) or (
            (upstream.closing or upstream.albums_closing) if upstream else None
        )
        return closing.exit_code if closing else 75
