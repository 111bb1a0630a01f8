"""How much of a card is looked at: until most of its photos match, whatever the others are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from journal.test_staging import arrival, push

from albumup.journal.commits import Commits
from albumup.journal.journal import Journal
from albumup.photos.cards import Look, Seen
from albumup.uploader import origins
from albumup.uploader.origins import Origins

PHOTOS = 3000
PAGE = 1000


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(str(tmp_path / "journal.db"))
    push(journal, [arrival(b"%04d.jpg" % number) for number in range(PHOTOS)])
    yield journal
    journal.close()


class Here:
    """Helpers that do the work at once."""

    async def run(self, work: object, call: Callable[..., Any], *arguments: Any) -> Any:
        del work
        return call(*arguments)


@pytest.mark.parametrize(
    ("matching", "known", "looked_at"),
    [
        (PHOTOS, True, 2 * PAGE),  # the third page could change nothing
        (0, False, PHOTOS),
        (PHOTOS // 2, False, PHOTOS),  # just as many do not match
        (PHOTOS // 2 + 1, True, 2 * PAGE),
        (PAGE, False, PHOTOS),
    ],
)
def test_a_card_is_looked_at_until_most_of_its_photos_match(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, matching: int, known: bool, looked_at: int
) -> None:
    seen: list[Seen] = []

    def look_at(page: list[Seen], odd: bytes, device: int | None) -> Look:
        del odd, device
        seen.extend(page)
        return Look(len(page), sum(int(one.path[-8:-4]) < matching for one in page))

    monkeypatch.setattr(origins, "look_at", look_at)
    task = journal.task(1)
    assert task is not None

    async def story() -> bool:
        helpers: Any = Here()
        queue: Any = SimpleNamespace(roots={})
        commits = Commits(journal, helpers)
        found = await Origins(commits, queue, helpers).is_known(task, 1)
        await commits.close()
        return found

    assert (asyncio.run(story()), len(seen)) == (known, looked_at)
