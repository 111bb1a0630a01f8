"""Lines of a crontab: what cron and its shell make of them, and that all others stay as they
are."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albumup.errors import UsageError
from albumup.session.scheduling import SCHEDULE, crontab
from albumup.session.scheduling.schedule import Schedule

AWKWARD = [
    "plain",
    "/home/anna/My Pictures",
    "100%",
    "%",
    "a\\%b",
    "a\\",
    "\\\\",
    "it's",
    '"quoted"',
    "$HOME `id` $(id)",
    "a;b&c|d<e>f",
    "# no comment",
    "*?[x]",
    "~",
    "!1",
    "",
    "été ☃",
    "'%\\%'\\\\%",
]


def schedule(*words: str, **more: object) -> Schedule:
    made = {"journal": "/j.db", "config": "/c.toml", "program": ("/bin/albumup",), **more}
    return Schedule(words or ("retry-failed",), **made)  # type: ignore[arg-type]


def command_of(line: bytes, *, strips: str) -> str:
    """What cron hands to the shell. ``strips``: the letters before which it takes a backslash away;
    where "%" is not among them, a percent sign means nothing to it."""
    text = line.decode().split(" ", 5)[5].rstrip("\n")
    if not strips:
        return text
    made, letters = "", iter(text)
    for letter in letters:
        if letter == "\\":
            following = next(letters, "")
            made += following if following in strips else letter + following
        else:
            assert letter != "%", "cron would end the command here"
            made += letter
    return made


@pytest.mark.parametrize("strips", ["%", "%\\", ""], ids=["cronie", "debian", "busybox"])
@pytest.mark.parametrize("word", AWKWARD)
def test_the_shell_of_each_cron_gets_the_words_as_they_were(word: str, strips: str) -> None:
    made = schedule("push", word, word, program=("/usr/bin/printf", "%s\\0"))
    command = command_of(crontab.line_of(made), strips=strips)
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=True)
    expected = ["--journal", "/j.db", "--config", "/c.toml", "push", word, word]
    assert done.stdout.decode().split("\0")[:-1] == expected


@pytest.mark.parametrize("word", AWKWARD)
def test_a_line_is_read_again(word: str) -> None:
    made = schedule("push", word, environment={"XDG_DATA_HOME": f"/{word}"})
    (entry,) = crontab.entries(crontab.line_of(made))
    assert (entry.name, entry.journal, entry.command) == (made.name, "/j.db", ["push", word])
    assert entry.words == made.words
    assert entry.when == f"{made.minutes[0]} * * * *"
    assert entry.is_on


def test_variables_are_set_for_the_command_alone() -> None:
    made = schedule(program=("/usr/bin/env",), environment={"XDG_DATA_HOME": "/my data"})
    command = command_of(crontab.line_of(made), strips="%").partition(" --journal")[0]
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert "XDG_DATA_HOME=/my data\n" in done.stdout
    assert SCHEDULE not in done.stdout, "retry-failed waits for nobody"


def test_a_push_knows_its_schedule() -> None:
    made = schedule("push", "/photos", program=("/usr/bin/env",))
    command = command_of(crontab.line_of(made), strips="%").partition(" --journal")[0]
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert f"{SCHEDULE}={made.name}\n" in done.stdout


@pytest.mark.parametrize("word", ["/home/a\udcffb", "a\nb", "a\rb", "a\0b", "\x1b[2J"])
def test_what_cannot_be_written_is_refused(word: str) -> None:
    schedule("push", "/home/été %").check()
    with pytest.raises(UsageError, match="cannot be scheduled"):
        schedule("push", word).check()
    with pytest.raises(UsageError):
        schedule(environment={"XDG_DATA_HOME": word}).check()


def test_people_run_at_different_minutes_and_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    firsts = set()
    for user in range(200):
        monkeypatch.setattr("os.getuid", lambda user=user: user)
        minutes = schedule().minutes
        assert [minute - minutes[0] for minute in minutes] == [0, 15, 30, 45]
        assert 0 <= minutes[0] < 15
        assert len(schedule("push", "/x").minutes) == 1
        firsts.add(minutes[0])
    assert len(firsts) == 15


def test_a_name_is_of_a_command_and_a_journal() -> None:
    same = schedule("push", "/x", config="/other", program=("/usr/bin/python", "-m", "albumup"))
    assert same.name == schedule("push", "/x").name
    others = {
        schedule("push", "/x").name,
        schedule("push", "/y").name,
        schedule("push", "/x", journal="/k.db").name,
        schedule("resume").name,
        schedule().name,
    }
    assert len(others) == 5


# Other people's lines.

LINES = st.lists(
    st.one_of(
        st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")),
        st.sampled_from(
            [
                b"# albumup-retry-failed-0123456",
                b"*/5 * * * * albumup retry-failed",
                b"MAILTO=anna",
                b"",
                b"0 0 * * * x # albumup-push-01234567 (albumup schedule) # no more",
                b"0 0 * * * caf\xe9\r",
            ]
        ),
        st.sampled_from([schedule("resume"), schedule("push", "/x")]).map(
            lambda made: crontab.line_of(made).rstrip(b"\n")
        ),
    ),
    max_size=8,
)
TEXTS = st.builds(
    lambda lines, has_end: b"\n".join(lines) + (b"\n" if has_end and lines else b""),
    LINES,
    st.booleans(),
)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_a_line_put_in_and_taken_out_leaves_the_rest_to_the_byte(text: bytes) -> None:
    made = schedule()
    ended = text if not text or text.endswith(b"\n") else text + b"\n"
    now = crontab.with_line(text, made)
    assert now == ended + crontab.line_of(made)
    assert crontab.with_line(now, made) == now
    assert crontab.without(now, made.name) == ended
    assert crontab.without(text, made.name) == text


@given(TEXTS, TEXTS, st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_an_edited_line_is_replaced_where_it_stands(
    before: bytes, after: bytes, copies: int
) -> None:
    made = schedule()
    before = before if not before or before.endswith(b"\n") else before + b"\n"
    line = crontab.line_of(made)
    edits = [line.replace(b" * * * *", b" 3 * * 1"), b"#" + line, line.replace(b"\n", b" \r\n")]
    text = before + b"".join(edits[:copies]) + after
    assert crontab.with_line(text, made) == before + line + after
    assert crontab.lines_of(text, made.name) == edits[:copies]


def test_a_line_that_was_switched_off_or_spoiled_is_still_known() -> None:
    line = crontab.line_of(schedule())
    (off,) = crontab.entries(b"# " + line)
    assert (off.is_on, off.command) == (False, ["retry-failed"])
    (spoiled,) = crontab.entries(line.replace(b"/j.db", b"'/j.db"))
    assert (spoiled.name, spoiled.words, spoiled.journal) == (schedule().name, [], "")
    (daily,) = crontab.entries(line.replace(line.split(b" /")[0], b"@daily"))
    assert (daily.when, daily.command) == ("@daily", ["retry-failed"])
