"""Decides what to tell at a run's end: everything to a person, and to cron only what it was not
told before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.rows import plain
from albumup.journal.summary import Summary
from albumup.session.rounds import fingerprint
from albumup.uploader.options import RunEnd


class News(Struct, frozen=True):
    """Tells what is news. ``is_noted``: what is told is remembered, so that cron does not tell it
    again. ``is_cron``: no person reads the output. ``whose``: the beginning of the notes of a
    command that is not cron's ``retry-failed``: what one has told is news to the other's reader."""

    journal: Journal
    is_noted: bool = False
    is_cron: bool = False
    whose: str = ""

    def of_fault(self, words: str) -> bool:
        """Is it worth telling why the run could not go on?"""
        return self._is_worth_telling("fault", words)

    def of_target(self, name: str, kind: str) -> bool:
        """Is it worth telling that a target is not tried again? ``kind``: the kind of its
        reason."""
        return self._is_worth_telling(f"target {name}", kind)

    def of_root(self, path: str, why: str) -> bool:
        """Is it worth telling that a folder is away?"""
        return self._is_worth_telling(f"root {path!a}", why)

    def of_album(self, found: Summary) -> bool:
        """Is it worth telling how an album stands now?"""
        return self._is_worth_telling(f"album {found.album.id}", fingerprint(self.journal, found))

    def forget(self, targets: Iterable[str]) -> None:
        """Forget the faults of the run and of these well targets: another fault is news again."""
        if not self.is_noted:
            return
        with self.journal.transaction():
            runs.tell(self.journal, f"{self.whose}fault", "")
            for name in targets:
                runs.tell(self.journal, f"{self.whose}target {name}", "")

    def _is_worth_telling(self, what: str, told: str) -> bool:
        if not self.is_noted:
            return True
        with self.journal.transaction():
            is_news = runs.tell(self.journal, self.whose + what, told)
        return is_news or not self.is_cron


def tell(journal: Journal, what: str, words: str) -> bool:
    """Note the words for something that keeps a command from its work, "" for none; True if they
    differ from the last ones."""
    if runs.told(journal, what) == plain(words):
        return False
    with journal.transaction():
        return runs.tell(journal, what, words)


def busy(sums: Sequence[Summary], end: RunEnd, unfinished: frozenset[int]) -> list[Summary]:
    """The albums of a run with something sent or something to say; if none, the first album.

    ``unfinished``: the albums that were not settled when the run began.
    """
    return [one for one in sums if _has_news(one, end.before[one.album.id][0], unfinished)] or list(
        sums[:1]
    )


def _has_news(found: Summary, before: int, unfinished: frozenset[int]) -> bool:
    is_left = found.is_unfinished or found.is_wanting
    return found.there != before or found.album.id in unfinished or is_left
