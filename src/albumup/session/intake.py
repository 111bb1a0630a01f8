"""Takes folders into the journal: scans them, compares, and queues in one transaction."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from msgspec.structs import replace

from albumup.disk import existing, room_in
from albumup.errors import LocalError, UsageError
from albumup.journal import framing
from albumup.journal.definitions import Described, target_of
from albumup.journal.journal import Journal
from albumup.journal.known import Known, album_id_of
from albumup.journal.staging import Action, Arrival, RootFound, Staging, add_album
from albumup.journal.states import MAY_BE_THERE, State
from albumup.photos.file_names import bytes_of
from albumup.photos.filters import Filters, SkipReason
from albumup.photos.metadata.reader import MetadataReader
from albumup.photos.pins import Pins
from albumup.photos.scan import Found, IsSettled, Root, Skipped, Unreadable, scan
from albumup.photos.sidecars import XMP, Folders, fits, gives_way, owner_of
from albumup.photos.skipped import count_suffix
from albumup.photos.sniffing import is_video, media_type_by_name
from albumup.photos.source import SourceGone
from albumup.photos.spelling import Spelling
from albumup.session import pairing
from albumup.session.destination import Destination
from albumup.session.journaled import Journaled, as_journaled
from albumup.session.lookup import Lookup
from albumup.session.settling import Settling
from albumup.session.survey import Survey
from albumup.targets.bodies import taken_of


class Intake:
    """One push. ``arrivals`` finds and classifies the photos; ``take_in`` also journals them."""

    def __init__(
        self,
        roots: Sequence[Root],
        filters: Filters,
        album: str,
        where: Destination,
        *,
        on_skip: Callable[[Skipped], None],
        edited: bool = False,
        settling: Settling | None = None,
    ) -> None:
        """``on_skip`` is called for each file that is left out.

        ``settling``: leave out files that are still being written.

        ``edited``: on a card without an id, photos that differ were edited, and are not another
        card's.
        """
        self.survey = Survey()
        self.album, self.where = album, where
        server = where.target
        goes_along = server is not None and server.takes_sidecars
        self._roots, self._filters = list(roots), replace(filters, sidecars_go_along=goes_along)
        self._album_id: int | None = None
        self._server, self._on_skip = server, on_skip
        self._taken: frozenset[bytes] | None = None
        """The suffixes that the server says it takes; None until it was asked."""
        self._goes_along: Callable[[bytes], bool] = lambda _: False
        """Tells whether an XMP file goes, or went, with its photo: then it is not skipped."""
        self._edited, self._settling = edited, settling
        self._lookup = Lookup(None, None, None, edited=edited)

    def look_into(self, connection: sqlite3.Connection | None) -> None:
        """Set the journal to compare with; None if there is none yet."""
        spelled = self._album_id = None
        if connection is not None:
            spelled = Journaled(connection, Spelling())
            self._roots = as_journaled(self._roots, spelled)
            target = self.where.was or self.where.name
            self._album_id = album_id_of(connection, self.album, target)
        self._lookup = Lookup(connection, self._album_id, spelled, edited=self._edited)
        if self._server is not None and self._server.takes_sidecars:
            self._goes_along = self._would_go_along(Folders())

    def arrivals(self, is_settled: IsSettled = lambda *_: True) -> Iterator[Arrival]:
        """The photos to queue or to note, in the order of the scan."""
        index = {root.path: number for number, root in enumerate(self._roots)}
        with MetadataReader() as reader:
            known = self._lookup.mime_of
            for item in scan(self._roots, self._filters, known, self._takes, is_settled):
                if isinstance(item, Skipped):
                    is_xmp = item.reason is SkipReason.SIDECAR and item.path.lower().endswith(XMP)
                    if not is_xmp or not self._goes_along(item.path):
                        self._skip(item)
                elif isinstance(item, Unreadable):
                    self.survey.folders.append(item)
                elif (arrival := self._classify(item, index[item.root.path])) is not None:
                    if item.oddity and arrival.action is not Action.REPIN:
                        self.survey.odd.add(item.path, item.oddity)
                    self._expect_date(arrival, reader)
                    yield arrival

    def expect_photos(self) -> None:
        """Raise UsageError if no photo was found, and none that is only left out for its time."""
        skipped = self.survey.skipped
        if not (self.survey.photos or skipped[SkipReason.OLDER] or skipped[SkipReason.YOUNG]):
            raise UsageError(*self.survey.nothing_in(self._roots))

    def take_in(
        self,
        journal: Journal,
        described: Described | None,
        spool_folder: str | None,
        *,
        share: str = "",
        wants_share: bool = False,
    ) -> int | None:
        """Queue the photos that the scan finds, durably; return the album's id.

        None: all files are still being written, and there is no such album yet.

        ``described``: the target of ``--url``. ``spool_folder``: copy photos there first.
        ``share``: the URL of the album's page, if the config names one. ``wants_share``: have the
        server make a share link. Raises UsageError, ConfigError, LocalError; then nothing is
        queued.
        """
        self.look_into(journal.connection)
        staging = self._gathered(journal)
        self.expect_photos()
        if spool_folder is not None:
            _check_room(spool_folder, staging.bytes)
        roots = [self._root_found(root) for root in self._roots]
        if not self.survey.photos and self._album_id is None:
            if self.survey.skipped[SkipReason.YOUNG]:
                return None
            raise UsageError("no photo is that new", "nothing was queued; --since was given")
        with journal.transaction():
            album_id = add_album(journal, self.album, self.where.name, described, share)
            if self._server is not None:  # tells a running uploader that the definition has changed
                framing.define(
                    journal,
                    target_of(journal, album_id),
                    self._server.fingerprint,
                    self._server.kept,
                )
            staging.take_in(album_id, roots, spool=spool_folder is not None)
            self.survey.live, self.survey.requeued = staging.joined, staging.requeued
            if wants_share:
                journal.want_share(album_id)
        journal.expect_in_place()
        return album_id

    def _gathered(self, journal: Journal) -> Staging:
        """The photos that the scan finds, staged; where files settle, those of a second scan, if
        the first found anything new."""
        settling = self._settling
        if settling is None:
            return self._staged(journal)
        settling.begin(journal)
        staging = self._staged(journal, settling.first)
        if not (staging.queued or settling.has_seen_young):
            return staging
        settling.wait()
        self.survey, on_skip = Survey(), self._on_skip

        def on_young(item: Skipped) -> None:  # the others were told of at the first scan
            if item.reason is SkipReason.YOUNG:
                on_skip(item)

        self._on_skip = on_young
        return self._staged(journal, settling.second)

    def _staged(self, journal: Journal, is_settled: IsSettled = lambda *_: True) -> Staging:
        """The photos of one scan, staged, with sidecars, and identifiers of live photos."""
        staging, server = Staging(journal), self._server
        if server is not None and server.takes_sidecars:
            self._goes_along = self._sidecars_into(staging)
        for arrival in self.arrivals(is_settled):
            staging.add(arrival)
        if server is not None and server.takes_sidecars:
            self.survey.sidecars = staging.match_sidecars(
                lambda path: self._skip(Skipped(path, SkipReason.SIDECAR))
            )
        if server is not None and server.pairs_live:
            self._read_identifiers(staging)
        return staging

    def _root_found(self, root: Root) -> RootFound:
        """A root for the journal: the folder that it is or lies in, and the medium."""
        medium = self._lookup.place(root, root.volume).new
        folder = root.path if root.is_folder else os.path.dirname(root.path)
        return RootFound(folder, medium.volume, medium.card, root.is_folder)

    def _would_go_along(self, folders: Folders) -> Callable[[bytes], bool]:
        """A function for dry runs: would an XMP file go along, as far as is known by then?"""

        def would(path: bytes) -> bool:
            folder, name = os.path.split(path)
            names = folders.beside(path)
            owner = owner_of(name, names)
            if (
                self._lookup.went_along(path)
                or owner is None
                or not fits(path)
                or gives_way(name, owner, names)
            ):
                return self._lookup.went_along(path)
            tasks = self._lookup.tasks(os.path.join(folder, owner))
            goes = not tasks or tasks[0].state is State.MISSING
            self.survey.sidecars += goes
            return goes

        return would

    def _sidecars_into(self, staging: Staging) -> Callable[[bytes], bool]:
        """A function that stages an XMP file with its photo; False if the file has none.

        Its photo may also be one that was sent before: then the file goes with no other photo.
        """
        folders = Folders()

        def gather(path: bytes) -> bool:
            if self._lookup.went_along(path):
                return True
            folder, name = os.path.split(path)
            names = set(folders.beside(path))
            if self._album_id is not None:
                names |= set(map(os.path.basename, staging.photos_beside(self._album_id, path)))
            owner = owner_of(name, names)
            if owner is None or not fits(path):
                return False
            staging.add_sidecar(path, os.path.join(folder, owner))
            return True

        return gather

    def _read_identifiers(self, staging: Staging) -> None:
        """Read the identifiers of possible live photos."""
        folders = [root.path for root in self._roots if root.is_folder]
        files_in = {os.path.dirname(root.path) for root in self._roots if not root.is_folder}
        self.survey.maybe_live = pairing.read(staging.halves(self._album_id), folders, files_in)

    def _skip(self, item: Skipped) -> None:
        """Count and report a file that is left out."""
        self._on_skip(item)
        survey = self.survey
        survey.skipped[item.reason] += 1
        if item.reason is SkipReason.EMPTY and media_type_by_name(item.path) is not None:
            survey.empty.add(item.path)
        elif item.reason is SkipReason.NO_MEDIA:
            count_suffix(survey.suffixes, item.path)

    def _takes(self, suffix: bytes) -> bool:
        """Does the server take files with this suffix? It is asked when our table lacks one."""
        if self._server is None or not self._server.lists_types:
            return False
        if self._taken is None:
            self._taken = frozenset(map(bytes_of, self._server.suffixes()))
        return suffix in self._taken

    def _classify(self, found: Found, root: int) -> Arrival | None:
        known, where = None, (found.root, found.path, found.volume)
        if found.known:
            known = self._lookup.as_seen(*where, found.size, found.mtime_ns)
        same = known or (None if found.error else self._lookup.with_same_bytes(found))
        if same is not None and same.state is not State.MISSING:
            self.survey.count_known(same)
            if found.known and (same.medium.volume or not found.volume):
                return None
            return self._arrive(Action.REPIN, same, found, root)
        known = same or next(iter(self._lookup.of_this_card(*where)), None)
        if known is None:
            return self._arrive(Action.NEW, None, found, root)
        if known.state is State.MISSING and not found.error:
            return self._arrive(Action.BACK, known, found, root)
        # The uploader notices by itself that a photo has other bytes, but not if it sends a copy.
        left = known.state is State.CANCELLED or (known.state is State.SENDING and not known.spool)
        if found.error or left:
            self.survey.count_known(known)
            return None
        self.survey.changed += 1
        again = known.state in MAY_BE_THERE
        return self._arrive(Action.AGAIN if again else Action.REDO, known, found, root)

    def _arrive(self, action: Action, known: Known | None, found: Found, root: int) -> Arrival:
        if action is not Action.REPIN:
            self.survey.queued += 1
            self.survey.size += found.size
            self.survey.videos += is_video(found.mime)
        pins = Pins(found.size, found.mtime_ns, found.inode)
        place = self._lookup.place(found.root, found.volume, found.path)
        task_id, path, medium = 0, found.path, place.new
        if known is not None:
            task_id, path, medium = known.task_id, known.path, known.medium
        return Arrival(
            action, task_id, root, path, medium,
            found.relative, found.mime, pins, found.error, found.volume,
        )  # fmt: skip

    def _expect_date(self, arrival: Arrival, reader: MetadataReader) -> None:
        """Raise ConfigError if the form wants a date and a photo to be queued has none."""
        if (
            self._server is not None
            and self._server.dates
            and arrival.action is not Action.REPIN
            and not arrival.error
        ):
            with suppress(SourceGone):  # the preparer will notice
                taken_of(arrival.path, arrival.mime, self._server, reader)


def _check_room(folder: str, wanted: int) -> None:
    """Raise LocalError if the disk of the spool folder has less than ``wanted`` bytes free."""
    free = room_in(existing(folder))
    if wanted > free:
        from humanize import naturalsize

        needed, there, lacking = (
            naturalsize(number, format="%.1f") for number in (wanted, free, wanted - free)
        )
        raise LocalError(
            f"{folder}: no room for the copies: {needed} are needed and {there} are free, "
            f"{lacking} too few",
            "nothing was queued; name another disk with --spool-dir, or push without --spool",
        )
