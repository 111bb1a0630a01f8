"""Commands to type about an album whose name another target's album has, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from test_staging import ROOT, arrival, push

from albumup.cli import again, detaching, dry_run, events, status
from albumup.errors import UsageError
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.journal.summary import summaries
from albumup.session import giving_up
from albumup.session.background import Uploading
from albumup.session.staying import Machine, System
from albumup.session.survey import Survey
from albumup.uploader.commands import album_command, albums_command
from albumup.uploader.origins import STRANGER


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """trip on club and on home, and walk on home alone."""
    journal = Journal(str(tmp_path / "journal.db"))
    for album, target in (("trip", "club"), ("trip", "home"), ("walk", "home")):
        push(journal, [arrival(f"{album}-{target}.jpg".encode())], album, target=target)
    yield journal
    journal.close()


@pytest.fixture
def albums(journal: Journal) -> list[Album]:
    return runs.albums(journal)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a command says whose app it is given."""

    def said(say: Callable[[Any], object]) -> str:
        lines: list[str] = []
        screen = SimpleNamespace(say=lines.append, complain=lines.append, is_terminal=False)
        config = SimpleNamespace(targets={"club": None, "home": None})
        say(SimpleNamespace(screen=screen, config=config, journal="/j.db", tell=None))
        return "\n".join(lines)

    monkeypatch.setattr(detaching, "goes_on", lambda _: True)
    machine = Machine(System.SYSTEMD, None, may_sleep=True, lingers=False)
    monkeypatch.setattr(detaching, "look", lambda _: machine)
    return said


def test_a_command_about_one_names_its_target_and_about_both_names_none(
    journal: Journal, albums: list[Album]
) -> None:
    of_club, of_home, walk = albums
    assert album_command(journal, "share", walk) == "albumup share walk"
    assert album_command(journal, "share", of_home) == "albumup share trip --target home"
    told = [
        albums_command(journal, "resume", meant, "--detach")
        for meant in (
            [walk],
            [of_club],
            [of_home, walk],
            [of_club, walk],
            [of_club, of_home],
            albums,
            [],
        )
    ]
    assert told == [
        "albumup resume walk --detach",
        "albumup resume trip --target club --detach",
        "albumup resume trip walk --target home --detach",
        "albumup resume trip walk --detach",  # no option means these two alone
        "albumup resume trip --detach",
        "albumup resume trip walk --detach",
        "albumup resume --detach",
    ]


def test_a_push_in_the_background_names_the_one_it_sends(
    journal: Journal, albums: list[Album], said: Callable[..., str]
) -> None:
    def lines(meant: list[Album]) -> list[str]:
        names = {album.id: album.name for album in meant}
        conclusion: Any = SimpleNamespace(albums=names, journal=journal, app=None)
        found: list[str] = []

        def say(app: Any) -> None:
            conclusion.app = app
            found.extend(detaching._uploading(conclusion, Uploading(41, True), "2 photos"))
            found.append(detaching._stopped(conclusion))

        said(say)
        return found

    begun, asleep, stopped = lines([albums[1]])
    assert begun.endswith("; albumup watch trip --target home")
    assert asleep.endswith("systemd-inhibit albumup wait trip --target home")
    assert stopped.endswith("albumup resume trip --target home --detach")
    assert lines(albums)[0].endswith("; albumup watch")
    assert lines(albums[:2])[0].endswith("; albumup watch trip")


def test_another_card_is_told_of_with_each_albums_own_commands(journal: Journal) -> None:
    lines = events.away(journal, ROOT.path, STRANGER)[1:]
    assert [line.partition("albumup ")[2] for line in lines] == [
        f"push {ROOT.path.decode()} --edited --album trip --target club",
        "cancel trip --target club",
        f"push {ROOT.path.decode()} --edited --album trip --target home",
        "cancel trip --target home",
        f"push {ROOT.path.decode()} --edited --album walk",
        "cancel walk",
    ]


def test_what_is_refused_is_to_be_typed_for_the_one_that_was_meant(
    journal: Journal, albums: list[Album]
) -> None:
    with pytest.raises(UsageError) as refused:
        giving_up.forget(journal, [albums[0]])
    assert "albumup resume trip --target club; " in refused.value.hint
    assert refused.value.hint.endswith("albumup cancel trip --target club")
    with pytest.raises(UsageError) as refused:
        giving_up.cancel(journal, [albums[1]], ["nowhere.jpg"])
    assert refused.value.hint == "see: albumup list trip --target home"


def test_what_is_left_to_type_is_for_the_one_that_was_pushed(
    journal: Journal, albums: list[Album], said: Callable[..., str]
) -> None:
    journal.connection.execute("update album set share = 'https://x.example.org'")
    link = said(lambda app: again.say_link(app, journal, albums[0], is_asked=False))
    assert link.endswith(": albumup share trip --target club")


def test_a_dry_run_names_the_one_it_looked_at(journal: Journal, said: Callable[..., str]) -> None:
    survey, where = Survey(), SimpleNamespace(name="home")
    survey.wanting_count = 1
    intake: Any = SimpleNamespace(album="trip", survey=survey, where=where)
    words = said(lambda app: dry_run._say_left_out(app, intake, journal.connection))
    assert "earlier: albumup retry-failed trip --target home" in words


def test_the_table_has_the_names_to_type_of_those_that_share_theirs(
    journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [
        replace(one, address=f"https://{one.album.target}.example.org/up")
        for one in summaries(journal.connection)
    ]
    status._put_table(found, None)
    cells = [line.split()[:2] for line in capsys.readouterr().out.splitlines()[1:]]
    assert cells == [["trip", "club"], ["trip", "home"], ["walk", "https://home.example.org/up"]]
