"""Whatever is typed, configured or lying around: an exit code, words that name the thing, and
nothing lost."""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from servers import FormServer, answer
from short import short_form

from albumup.journal import connecting
from albumup.photos.file_names import quoted
from albumup.session.damage import pushes_of

from .conftest import COMMAND, Home, finish, jpeg, until


def refused(home: Home, code: int, *args: object, says: tuple[str, ...] = (), **env: str) -> str:
    """Run what must be refused with ``code`` in words that hold all of ``says``; those words."""
    done = home.run(*args, **env)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    for words in says:
        assert words in done.stderr
    return done.stderr


# What is typed.


@pytest.mark.process
def test_a_folder_that_is_not_there(home: Home) -> None:
    refused(home, 2, "push", "/no/such/trip", says=("/no/such/trip",))
    assert not home.journal.exists()


def test_one_bad_path_among_good_ones_queues_nothing(home: Home) -> None:
    refused(
        home, 2, "push", home.photos(1), "/no/such/trip", "--album", "x", says=("/no/such/trip",)
    )
    assert home.status()["albums"] == []


def test_an_empty_folder(home: Home) -> None:
    (home.folder / "bare").mkdir()
    said = refused(
        home, 2, "push", "bare", says=("no photo under", "bare", "nothing was queued".capitalize())
    )
    assert "skipped" not in said
    assert home.status()["albums"] == []


def test_a_folder_without_photos_says_what_was_skipped(home: Home) -> None:
    (home.folder / "texts").mkdir()
    (home.folder / "texts" / "a.txt").write_text("a")
    (home.folder / "texts" / "IMG_1.JPG").touch()
    words = "2 skipped: 1 .txt (no media), 1 empty", "texts/IMG_1.JPG is empty", "-v"
    refused(home, 2, "push", "texts", says=words)


def test_push_without_a_path(home: Home) -> None:
    refused(home, 2, "push", says=("albumup push ./trip",))


def test_an_unknown_option_has_a_nearest_one(home: Home) -> None:
    refused(home, 2, "push", home.photos(1), "--albun", "x", says=("--albun", "--album"))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--retries", "-1"),
        ("--jobs", "0"),
        ("--limit-rate", "fast"),
        ("--patience", "soon"),
        ("--since", "yore"),
    ],
)
def test_a_value_that_makes_no_sense(home: Home, option: str, value: str) -> None:
    refused(home, 2, "push", home.photos(1), option, value, says=(option,))
    assert not home.journal.exists()


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "", "  "])
def test_an_album_name_with_control_characters(home: Home, name: str) -> None:
    said = refused(home, 2, "push", home.photos(1), "--album", name, says=("--album",))
    assert "\x1b" not in said
    assert not home.journal.exists()


@pytest.mark.parametrize("name", ["a" * 256, "\u00e9" * 128])
def test_an_album_name_of_more_than_255_bytes(home: Home, name: str) -> None:
    refused(home, 2, "push", home.photos(1), "--album", name, says=("255 bytes", "--album"))


def test_a_folder_named_by_letters_that_are_not_seen_is_an_album(home: Home) -> None:
    """No-break spaces and joiners stand in the names that macOS and telephones give."""
    place = home.photos(1, "Trip\u00a0\U0001f468\u200d\U0001f469 'x'")
    assert home.run("push", place).returncode == 0
    assert home.album()["album"] == place.name
    typed = subprocess.run(
        ["bash", "-c", f"printf %s {quoted(place.name)}"],
        capture_output=True,
        check=True,
        env=home.env,
    )
    assert typed.stdout.decode() == place.name


@pytest.mark.parametrize(
    "command", short_form(["resume", "list", "cancel", "forget", "retry-failed", "status"], 3)
)
def test_an_unknown_album_has_a_nearest_one(home: Home, command: str) -> None:
    home.run("push", home.photos(1))
    refused(home, 2, command, "tripp", says=("'tripp'", "did you mean trip?"))
    assert home.run("push", "trip", "--album", "Anna & Jörg").returncode == 0
    refused(home, 2, command, "Anna", says=("did you mean 'Anna & Jörg'?",))


@pytest.mark.parametrize(
    "command", ["resume", "retry-failed", "status", "list", "cancel", "forget"]
)
def test_an_unknown_album_when_there_is_no_journal(home: Home, command: str) -> None:
    refused(home, 2, command, "trip", says=("'trip'",))
    assert not home.journal.parent.exists()


def test_a_list_of_files_that_is_not_there(home: Home) -> None:
    refused(
        home, 2, "push", "--album", "x", "--files-from", "nowhere", says=("--files-from", "nowhere")
    )


@pytest.mark.parametrize(
    "url", ["photos.example.org/upload", "ftp://photos.example.org/", "http://", "https://u:p@h/"]
)
def test_a_wrong_url(home: Home, url: str) -> None:
    refused(home, 2, "push", home.photos(1), "--url", url, says=("--url",))
    assert not home.journal.exists()


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-Api-Key", "x-auth-token"])
def test_a_secret_in_a_header_is_refused_and_not_repeated(home: Home, name: str) -> None:
    said = refused(
        home, 2, "push", home.photos(1), "--url", "https://h.invalid/", "--header",
        f"{name}: Bearer hush", says=(f"--header {name}", "--token-file"),
    )  # fmt: skip
    assert "hush" not in said


def test_a_literal_secret_in_a_field_option(home: Home) -> None:
    said = refused(
        home, 2, "push", home.photos(1), "--url", "https://h.invalid/", "--field", "apikey=hush",
        says=("apikey={token}",),
    )  # fmt: skip
    assert "hush" not in said


@pytest.mark.parametrize(
    ("field", "says"), [("{nam}", "did you mean name?"), ("{name.__class__}", "attribute")]
)
def test_a_template_that_cannot_be_filled(home: Home, field: str, says: str) -> None:
    refused(
        home, 2, "push", home.photos(1), "--url", "https://h.invalid/", "--field", f"title={field}",
        says=("--field title", says),
    )  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        ["report", "trip"],
    ],
    ids=" ".join,
)
def test_what_does_not_exist_yet_is_not_accepted(home: Home, line: list[str]) -> None:
    home.photos(1)
    refused(home, 2, *line, says=(line[-1] if line[0] in ("push", "target") else line[0],))
    helped = home.run(
        "target" if line[0] == "target" else "push" if line[0] == "push" else "-h", "-h"
    ).stdout
    assert f" {line[-1] if line[0] in ('target', 'push') else line[0]} " not in helped


# What cannot be read.


@pytest.fixture
def someone_else(home: Home) -> Iterator[list[str]]:
    """A command's beginning that runs it as a user who is not root; the home is theirs."""
    if not os.geteuid():
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root without setpriv")
        above = home.folder.parent
        while str(above).startswith(os.path.join(os.sep, "tmp", "pytest")):
            above.chmod(0o755)
            above = above.parent
        yield [setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    else:
        yield []


def run_as(prefix: list[str], home: Home, *args: object) -> subprocess.CompletedProcess[str]:
    if prefix:
        for path in [home.folder, *home.folder.rglob("*")]:
            os.chown(path, 65534, 65534, follow_symlinks=False)
    return home.run(*args, launch=[*prefix, *COMMAND])


def test_unreadable_photos_and_folders_of_somebody_who_is_not_root(
    home: Home, someone_else: list[str]
) -> None:
    trip = home.photos(2)
    closed = home.photos(1, "trip/closed", first=3)
    home.config("[defaults]\nstable_for = 0\n")
    if run_as(someone_else, home, "status").returncode:
        pytest.skip("the checkout cannot be read by another user")
    (trip / "IMG_2.JPG").chmod(0)
    closed.chmod(0)
    done = run_as(someone_else, home, "push", trip)
    closed.chmod(0o700)
    assert done.returncode == 3, done.stderr
    assert "trip/closed: Permission denied" in done.stderr
    states = {
        os.path.basename(path): state for path, state in home.sql("select path, state from v_tasks")
    }
    assert states == {"IMG_1.JPG": "uploaded", "IMG_2.JPG": "missing"}


@pytest.mark.long
def test_a_state_folder_that_cannot_be_written(home: Home, someone_else: list[str]) -> None:
    home.photos(1)
    if run_as(someone_else, home, "status").returncode:
        pytest.skip("the checkout cannot be read by another user")
    (home.folder / "state").mkdir(mode=0o500)
    done = run_as(someone_else, home, "push", "trip")
    assert done.returncode == 1, done.stderr
    assert str(home.folder / "state") in done.stderr
    assert "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr
    (home.folder / "state").chmod(0o700)
    assert run_as(someone_else, home, "push", "trip").returncode == 0


@pytest.mark.long
def test_a_lock_that_belongs_to_somebody_else_is_named(home: Home, someone_else: list[str]) -> None:
    """As a sudo albumup leaves it."""
    home.config("[defaults]\nstable_for = 0\n")
    home.photos(1)
    if run_as(someone_else, home, "push", "trip").returncode:
        pytest.skip("the checkout cannot be read by another user")
    Path(f"{home.journal}.lock").chmod(0)
    commands = [["status"], ["push", "trip", "--album", "b"]]
    if not someone_else:  # root's interpreter may be out of another user's reach
        commands.append(["push", "trip", "--album", "b", "--detach"])
    for words in commands:
        done = run_as(someone_else, home, *words)
        assert done.returncode == 1, done.stderr
        assert f"{home.journal}.lock: Permission denied" in done.stderr.replace(
            "~", str(home.folder)
        )
        assert "chown" in done.stderr
    log = Path(f"{home.journal}.log")
    assert not log.exists() or "Traceback" not in log.read_text()


# The config.


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("targets = = 1", ("not TOML", "line 1")),
        ('defualt_target = "x"', ("defualt_target", "did you mean default_target?")),
        ("[defaults]\nretrys = 3", ("defaults.retrys", "did you mean retries?")),
        ('[defaults]\nretries = "many"', ("defaults.retries", "whole number")),
        ('default_target = "nowhere"\n', ("default_target",)),
        ('[targets.club]\nkind = "form"\n', ("targets.club.url", "missing")),
        (
            '[targets.club]\nkind = "fom"\nurl = "https://h.invalid"',
            ("targets.club.kind", "did you mean form?"),
        ),
        (
            '[targets.club]\nkind = "form"\nurl = "https://h.invalid"\nfile_feild = "f"',
            ("file_feild", "file_field?"),
        ),
        ('[targets.club]\nkind = "form"\nurl = "h.invalid"', ("targets.club.url", "https://")),
        ('[targets.club]\nkind = "form"\nurl = "https://u:p@h.invalid"', ("targets.club.url",)),
        (
            '[targets.club]\nkind = "form"\nurl = "https://h.invalid"\nresend = "sure"',
            ("targets.club.resend", "safe"),
        ),
        (
            '[targets.club]\nkind = "form"\nurl = "https://h.invalid/{albun}"',
            ("targets.club.url", "album?"),
        ),
        (
            '[targets.club]\nkind = "form"\nurl = "https://h.invalid"\nfields = { a = "{nme}" }',
            ("fields.a", "name?"),
        ),
        (
            '[targets.club]\nkind = "form"\nurl = "https://h.invalid"\n'
            'fields = { a = "{name[0]}" }',
            ("fields.a",),
        ),
        (
            '[targets.club]\nkind = "form"\nurl = "https://h.invalid"\nsuccess_text = "("',
            ("success_text", "regular"),
        ),
        (
            '[targets.club]\nkind = "form"\nurl = "https://h.invalid"\nid = "a..b"',
            ("targets.club.id", "JMESPath"),
        ),
        (
            '[targets.a]\nkind = "form"\nurl = "https://h.invalid"\n'
            '[targets.b]\nkind = "form"\nurl = "https://i.invalid"',
            ("default_target", "a, b", "--target"),
        ),
    ],
)
def test_a_mistake_in_the_config_names_file_and_key(
    home: Home, config: str, says: tuple[str, ...]
) -> None:
    home.config(config)
    refused(home, 4, "push", home.photos(1), says=("config.toml", *says))
    assert not home.journal.exists()


def test_a_literal_secret_in_a_configured_field(home: Home, server: FormServer) -> None:
    home.form(server, '[targets.club.fields]\napikey = "hush"\n')
    said = refused(home, 4, "push", home.photos(1), says=("targets.club.fields.apikey", "{token}"))
    assert "hush" not in said


def test_an_unknown_target_has_a_nearest_one(home: Home, server: FormServer) -> None:
    home.form(server)
    refused(
        home,
        4,
        "push",
        home.photos(1),
        "--target",
        "clib",
        says=("'clib' in ~/config/", "did you mean club?"),
    )


def test_a_config_named_on_the_command_line_must_be_there(home: Home) -> None:
    refused(home, 4, "push", home.photos(1), "--config", "nowhere.toml", says=("nowhere.toml",))


def test_a_token_that_others_can_read_is_refused_with_the_command_that_mends_it(
    home: Home, server: FormServer
) -> None:
    token = home.secret("hush")
    token.chmod(0o644)
    home.form(server, f'token_file = "{token}"\n')
    said = refused(
        home, 4, "push", home.photos(1), says=("others can read", "chmod 600", "token_file")
    )
    assert "hush" not in said
    token.chmod(0o600)
    assert home.run("push", "trip").returncode == 0


def test_a_config_with_a_token_that_others_can_read(home: Home, server: FormServer) -> None:
    config = home.form(server, 'token = "hush"\n')
    config.chmod(0o644)
    said = refused(home, 4, "push", home.photos(1), says=("chmod 600", "targets.club.token"))
    assert "hush" not in said


def test_a_missing_token_is_said_before_anything_is_queued(home: Home, server: FormServer) -> None:
    home.form(server, 'token_env = "CLUB_TOKEN"\n')
    refused(home, 4, "push", home.photos(1), says=("CLUB_TOKEN", "not set"))
    assert home.status()["albums"] == []


def test_photos_without_a_date_where_a_field_wants_one(home: Home, server: FormServer) -> None:
    home.form(server, '[targets.club.fields]\ntaken = "{taken:%Y}"\n')
    refused(home, 4, "push", home.photos(1), says=("IMG_1.JPG", "taken_fallback"))
    assert home.status()["albums"] == []
    described = ("--url", server.url, "--field", "taken={taken}")
    said = refused(
        home, 4, "push", home.photos(1), *described, says=("Send {modified} instead of {taken}",)
    )
    assert "--taken-fallback" not in said  # there is no such option


# The server.


def test_a_host_that_does_not_exist(home: Home) -> None:
    home.config('[targets.club]\nkind = "form"\nurl = "http://photos.invalid/upload"\n')
    done = home.run("push", home.photos(2), "--patience", "0")
    if done.returncode == 75:
        pytest.skip("no name server answers here, so nobody can say that the host does not exist")
    assert done.returncode == 4
    assert "photos.invalid" in done.stderr
    assert "targets.club.url" in done.stderr
    assert home.album()["counts"]["pending"] == 2
    assert [task["attempts"] for task in home.tasks()] == [1, 0]


def test_a_server_that_is_not_there_is_for_later(home: Home, server: FormServer) -> None:
    home.config(f'[targets.club]\nkind = "form"\nurl = "http://127.0.0.1:{unused_port()}/upload"\n')
    done = home.run("push", home.photos(2), "--patience", "0")
    assert done.returncode == 75
    assert "club" in done.stderr
    assert home.album()["counts"]["pending"] == 2
    home.form(server)
    assert home.run("resume").returncode == 0
    assert len(server.ledger) == 2


def unused_port() -> int:
    import socket

    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


@pytest.mark.parametrize("status", [301, 302, 404, 405, 410])
def test_a_wrong_address_names_the_key(home: Home, server: FormServer, status: int) -> None:
    home.form(server)
    server.answer = lambda _: answer(
        status, {}, headers=(("Location", "https://elsewhere.invalid/login"),)
    )
    refused(
        home,
        4,
        "push",
        home.photos(2),
        says=(str(status), "targets.club.url", "albumup target try club"),
    )
    assert len(server.requests) == 1
    assert home.album()["counts"]["pending"] == 2


# The journal.

WRITERS = (["push", "trip"], ["resume"], ["retry-failed"], ["cancel", "trip"], ["forget", "trip"])
COMMANDS = (*WRITERS, ["status"], ["list"])


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: line[0])
def test_a_photo_named_as_journal_is_left_untouched(home: Home, line: list[str]) -> None:
    photo = home.photos(1) / "IMG_1.JPG"
    before = photo.read_bytes()
    refused(home, 4, *line, "--journal", photo, says=("IMG_1.JPG", "--journal"))
    assert photo.read_bytes() == before
    assert [path.name for path in photo.parent.iterdir() if ".open" not in path.name] == [
        "IMG_1.JPG"
    ]


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: line[0])
def test_a_database_of_another_program_is_left_untouched(home: Home, line: list[str]) -> None:
    home.photos(1)
    other = home.folder / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("create table theirs (a)")
    connection.close()
    before = other.read_bytes()
    refused(home, 4, *line, "--journal", other, says=("other.db", "another program"))
    assert other.read_bytes() == before


@pytest.mark.parametrize("line", short_form(COMMANDS, 3), ids=lambda line: line[0])
def test_a_newer_journal_is_refused_by_name(home: Home, line: list[str]) -> None:
    home.run("push", home.photos(1))
    home.sql("pragma user_version = 99")
    refused(home, 4, *line, says=(str(home.journal), "newer albumup"))


def test_a_folder_named_as_journal(home: Home) -> None:
    refused(home, 4, "push", home.photos(1), "--journal", home.folder, says=("a folder",))


def damage(path: Path) -> None:
    """Overwrite every page but the first."""
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xa5" * (len(data) - 4096))


@pytest.mark.parametrize(
    "line", [["push", "trip"], ["resume"], ["retry-failed"]], ids=lambda line: line[0]
)
def test_a_corrupt_journal_is_set_aside_and_says_which_pushes_to_repeat(
    home: Home, line: list[str]
) -> None:
    home.run("push", home.photos(3))
    damage(home.journal)
    said = refused(home, 1, *line, says=(str(home.journal), "damaged", ".corrupt-", "Push again"))
    assert "albumup push" in said or "every push" in said
    asides = [path for path in home.journal.parent.iterdir() if ".corrupt-" in path.name]
    (aside,) = [path for path in asides if not path.name.endswith(("-wal", "-shm"))]
    assert aside.stat().st_size > 4096
    assert not home.journal.exists()
    assert home.run("push", "trip").returncode == 0
    assert home.album()["counts"]["duplicate"] == 3


@pytest.mark.process
def test_the_pushes_to_repeat_can_be_typed_as_they_stand(home: Home) -> None:
    words = [
        "push",
        str(home.photos(1, "Été à Nîmes")),
        "--album",
        "Été, it's $HOME",
        "--target",
        "inbox",
    ]
    home.run(*words)
    (said,) = pushes_of(str(home.journal))
    assert shlex.split(said) == ["albumup", *words]


@pytest.mark.parametrize("line", [["status"], ["list"]], ids=lambda line: line[0])
def test_readers_of_a_corrupt_journal_move_nothing(home: Home, line: list[str]) -> None:
    home.run("push", home.photos(3))
    damage(home.journal)
    refused(home, 1, *line, says=(str(home.journal), "damaged"))
    assert home.journal.exists()


@pytest.mark.parametrize("line", [["push", "trip"], ["status"], ["resume"], ["watch", "trip"]])
def test_a_pipe_for_a_journal_holds_nobody_up(home: Home, line: list[str]) -> None:
    home.photos(1)
    os.mkfifo(home.folder / "j.db")
    with open(os.open(home.folder / "j.db", os.O_RDWR | os.O_NONBLOCK), "wb"):  # ends a wait
        refused(home, 4, *line, "--journal", "j.db", says=("j.db: a pipe or device, not a",))


def test_what_is_no_file_of_albumups_is_named_and_left_alone(home: Home) -> None:
    assert home.run("push", home.photos(1)).returncode == 0
    mine = home.folder / "mine"
    mine.write_text("mine\n")
    lock = Path(f"{home.journal}.lock")
    lock.unlink()
    lock.symlink_to(mine)
    for line in (["resume"], ["status"], ["push", home.photos(1, first=2)]):
        refused(home, 1, *line, says=("journal.db.lock: it is a link", "move it away"))
    lock.unlink()
    former = Path(f"{home.journal}.log.1")
    former.symlink_to(mine)
    done = home.run("log")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("~/state/albumup/journal.db.log.1: it is a link, and symbolic")
    assert home.run("resume", "--detach").returncode == 0
    assert mine.read_text() == "mine\n"


@pytest.mark.parametrize(
    ("line", "then"),
    [
        (["push", "more"], "Nothing of this push is in the journal yet; {}, then push again"),
        (["resume"], "{}, then: albumup resume"),
        (["retry-failed"], "{}, then: albumup resume"),
        (["stop"], "{}, then try again"),
        (["cancel", "trip"], "{}, then try again"),
    ],
    ids=lambda one: one[0] if isinstance(one, list) else "",
)
def test_a_locked_journal_is_no_full_disk(
    home: Home, line: list[str], then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home.run("push", home.photos(1)).returncode == 0
    home.photos(1, "more", first=2)
    monkeypatch.setattr(connecting, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(home.journal, isolation_level=None)) as another:
        another.execute("begin immediate")
        said = refused(home, 1, *line, says=("another program has kept it locked",))
    mend = "close what has it open, or wait for its end"
    told = then.format(mend)
    assert said.splitlines()[-1] == told[:1].upper() + told[1:]


@pytest.mark.process
def test_a_full_disk_ends_with_1_and_room_is_all_it_takes(
    home: Home, server: FormServer, tiny_disk: Path
) -> None:
    home.form(server)
    journal = tiny_disk / "journal.db"
    trip = home.photos(20)
    assert home.run("push", home.photos(1, "first", first=90), "--journal", journal).returncode == 0
    ballast = tiny_disk / "ballast"
    with pytest.raises(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    said = refused(home, 1, "push", trip, "--journal", journal, says=(str(tiny_disk),))
    assert said.endswith("in the journal yet; make room, then push again\n")
    said = refused(home, 1, "cancel", "first", "--journal", journal, says=("disk is full",))
    assert said.endswith("\nMake room, then try again\n")
    ballast.unlink()
    assert home.run("push", trip, "--journal", journal).returncode == 0
    assert sorted(set(server.names)) == sorted(
        ["IMG_90.JPG", *(f"IMG_{number}.JPG" for number in range(1, 21))]
    )


@pytest.mark.long
def test_a_disk_that_fills_up_while_sending_costs_no_tries(
    home: Home, server: FormServer, tiny_disk: Path
) -> None:
    home.form(server)
    journal = tiny_disk / "journal.db"
    server.may_answer.clear()
    process = home.start("push", home.photos(20), "--journal", journal, "-j1")
    until(lambda: server.in_flight)
    ballast = tiny_disk / "ballast"
    with pytest.raises(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)
    server.may_answer.set()
    done = finish(process)
    ballast.unlink()
    assert done.returncode in (0, 1), done.stderr  # 0: what SQLite had reserved was enough
    if done.returncode:
        assert "disk" in done.stderr
    resumed = home.run("resume", "--journal", journal)
    assert resumed.returncode == 0, resumed.stderr
    assert set(server.names) == {f"IMG_{number}.JPG" for number in range(1, 21)}


@pytest.mark.process
def test_files_are_private(home: Home) -> None:
    home.run("push", home.photos(1))
    for path in home.journal.parent.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    assert home.journal.parent.stat().st_mode & 0o077 == 0


def test_names_with_control_characters_are_escaped_on_the_screen(home: Home) -> None:
    trip = home.photos(1)
    (trip / "\x1b]0;owned\x07\u202e.jpg").symlink_to("/nowhere")
    (trip / "-rf\n.jpg").write_bytes(jpeg(4))
    done = home.run("push", trip, "--follow-symlinks", "-v")
    listed = home.run("list")
    for text in (done.stderr, listed.stdout):
        assert not set(text) & {"\x1b", "\x07", "\u202e"}
        assert r"\x1b]0;owned\x07\u202e.jpg" in text
    assert len(listed.stdout.splitlines()) == 3


def test_a_command_without_its_album_says_where_the_albums_stand(home: Home) -> None:
    done = home.run("verify")
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        [
            "albumup: Missing argument 'ALBUM'.",
            "Try: albumup verify --help; the albums: albumup status",
        ],
    )


def test_a_target_that_is_not_set_up_leads_to_target_add(home: Home) -> None:
    home.photos(1)
    done = home.run("push", "trip", "--target", "home")
    assert done.returncode == 4
    assert done.stderr.endswith("Targets: inbox; a new one: albumup target add home\n")
    done = home.run("push", "trip", "--target", "inbx")
    assert done.stderr.endswith("did you mean inbox?\nTargets: inbox\n")
