"""What Tab offers: in the real bash, zsh and fish, and word by word."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from albumup.cli.completing import is_fit, quoted, split
from albumup.targets import registry

from .conftest import COMMAND, PATIENCE, Home

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
FILES = {"bash": "albumup", "zsh": "_albumup", "fish": "albumup.fish"}
AWKWARD = (
    "my trip",
    'Anna\'s "best"',
    "a:b, c",
    "$(touch run) `touch run`",
    "back\\slash",
    "* glob",
    "T\u00fcr \u5199\u771f",
    "bang! it!",
    "~tilde #1 & {x,y}; [z] | <w> ?",
)
STARTS = ("my", "Anna", "a:", "\\$", "back", "\\*", "T", "bang", "\\~")
"""How each of AWKWARD begins, as it is typed."""


@pytest.fixture
def named(home: Home) -> Home:
    """A home whose journal has albums with awkward names, and photos that wait in one called
    trip."""
    home.photos(2)
    home.config(
        '[targets.club]\nkind = "form"\nurl = "http://127.0.0.1:9/"\n'
        '[targets.nas]\nkind = "form"\nurl = "http://127.0.0.1:9/"\n'
    )
    home.run("push", "trip", "--target", "club", "--patience", "0")
    with closing(sqlite3.connect(home.journal)) as connection, connection:
        insert = "insert into album (name, target_id, created, changed) values (?, 1, 1, 1)"
        connection.executemany(insert, [(name,) for name in (*AWKWARD, "two\nlines", "-dash")])
    home.env["PATH"] = f"{os.path.dirname(COMMAND[0])}{os.pathsep}{home.env['PATH']}"
    return home


def need(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    return found


class Shell:
    """A shell as a person has it; ``show`` prints its arguments, and Tab completes them as those of
    albumup."""

    def __init__(self, home: Home, argv: Sequence[str], setup: str) -> None:
        given = {"launch": argv, "PS1": "> "}
        self._terminal = home.at_terminal(columns=400, is_controlling=True, **given)
        self._typed(f"{setup}; show ready\n", "<<ready>>")

    def complete(self, line: str) -> list[str]:
        """The arguments that a line comes to when Tab is pressed at its end."""
        text = self._typed(f"show {line}\t LAST\n", "<<LAST>>")
        return re.findall(r"<<(.*?)>>", text, re.DOTALL)[:-1]

    def _typed(self, keys: str, mark: str) -> str:
        """What comes after these keys, up to the mark."""
        terminal, before = self._terminal, len(self._terminal.said)
        terminal.press(keys)
        terminal.until(lambda: mark in terminal.said[before:].replace("\r\n", ""))
        return terminal.said[before:]


SHOW = "show() { printf '<<%s>>' \"$@\"; echo; }"
SETUP = {
    "bash": "bind 'set enable-bracketed-paste off'; source SCRIPT; "
    "complete -o nosort -F _wrapped show;"
    ' _wrapped() { _albumup_completion albumup "${@:2}"; }',
    "zsh": "unset zle_bracketed_paste; autoload -U compinit; compinit -u -D; source SCRIPT; "
    "compdef _wrapped show;"
    " _wrapped() { words[1]=albumup; _albumup_completion; }",
}
ARGUMENTS = {"bash": ("--norc", "-i"), "zsh": ("-f", "-i")}


@pytest.fixture(params=SETUP)
def shell(request: pytest.FixtureRequest, named: Home) -> Shell:
    program = need(request.param)
    setup = SETUP[request.param].replace(
        "SCRIPT", shlex.quote(str(ROOT / "completion" / FILES[request.param]))
    )
    return Shell(named, [program, *ARGUMENTS[request.param]], f"{setup}; {SHOW}")


LINES = (
    ("re", ["re"]),  # three commands: nothing is chosen
    ("ret", ["retry-failed"]),
    ("list --state=fa", ["list", "--state=failed"]),
    ("push --album my", ["push", "--album", "my trip"]),
    ("push --target na", ["push", "--target", "nas"]),
    ("push --token-file=trip/IMG_1", ["push", "--token-file=trip/IMG_1.JPG"]),
    ("cancel trip IMG_2", ["cancel", "trip", "IMG_2.JPG"]),
    ("resume two", ["resume", "two"]),  # a name that no line can hold is to be typed
)


@pytest.mark.long
def test_tab_completes_in_a_terminal(shell: Shell, named: Home) -> None:
    lines = [
        *LINES,
        *(
            (f"resume {start}", ["resume", name])
            for start, name in zip(STARTS, AWKWARD, strict=True)
        ),
    ]
    lines += [
        (f'resume "{AWKWARD[1][:2]}', ["resume", AWKWARD[1]]),
        (f"resume '{AWKWARD[1][:2]}", ["resume", AWKWARD[1]]),
    ]
    assert [(line, shell.complete(line)) for line, _ in lines] == lines
    assert not (named.folder / "run").exists()


@pytest.mark.long
def test_tab_completes_in_fish(named: Home) -> None:
    lines = [line for line, _ in LINES if line != "re"]
    source = f"source {shlex.quote(str(ROOT / 'completion' / 'albumup.fish'))}"
    asked = "\n".join(
        f"complete -C {shlex.quote('albumup ' + line)}" for line in [*lines, "resume "]
    )
    done = subprocess.run(
        [need("fish"), "--no-config", "-c", f"{source}\n{asked}"], env=named.env, cwd=named.folder,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.stderr == ""
    offered = done.stdout.splitlines()
    assert [line.partition("\t")[0] for line in offered[:6]] == [
        "retry-failed", "--state=failed", "my trip", "nas", "--token-file=trip/IMG_1.JPG",
        "IMG_2.JPG",
    ]  # fmt: skip
    assert sorted(offered[6:]) == sorted([*AWKWARD, "trip"])
    assert not (named.folder / "run").exists()


@pytest.mark.long
def test_the_function_of_bash_also_answers_who_calls_it_by_hand(named: Home) -> None:
    """As the tests of other packages do, which set COMP_WORDS alone."""
    lines = (
        f"source {ROOT}/completion/albumup",
        "COMP_WORDS=(albumup list --state fa) COMP_CWORD=3",
    )
    called = "; ".join((*lines, "_albumup_completion albumup", "printf '<%s>' \"${COMPREPLY[@]}\""))
    done = subprocess.run(
        [need("bash"), "--norc", "-c", called], env=named.env, capture_output=True, check=True
    )
    assert done.stdout == b"<failed>"


# Without a shell.


def offered(home: Home, line: str, shell: str = "fish") -> list[str]:
    done = home.run(_ALBUMUP_COMPLETE=f"{shell}_complete", COMP_LINE=line)
    assert (done.returncode, done.stderr) == (0, "")
    return [one.split("\t")[1] for one in filter(None, done.stdout.splitlines())]


@pytest.mark.parametrize("text", ["nonsense", "[targets.club]\nkind = 1"])
def test_what_cannot_be_found_out_is_not_offered_and_nothing_is_said_or_made(
    home: Home, text: str
) -> None:
    assert offered(home, "albumup push --target ") == ["inbox"]
    assert offered(home, "albumup resume ") == []
    assert list(home.folder.iterdir()) == []
    home.config(text)
    home.journal.parent.mkdir(parents=True)
    home.journal.write_bytes(b"no database")
    assert offered(home, "albumup push --target ") == ["inbox"]
    assert offered(home, "albumup cancel trip ") == []
    assert offered(home, "albumup nonsense --target=") == []
    assert home.journal.read_bytes() == b"no database"


@pytest.mark.long
def test_the_journal_and_the_config_named_on_the_line_are_looked_at(named: Home) -> None:
    moved = named.folder / "elsewhere.db"
    named.journal.rename(moved)
    assert offered(named, "albumup resume my") == []
    assert offered(named, f"albumup --journal {moved} resume my") == ["my trip"]
    assert offered(named, f"albumup resume --journal={moved} my") == ["my trip"]
    assert offered(named, "albumup --config /nowhere push --target n") == []


@pytest.mark.long
def test_no_album_is_offered_twice_or_as_an_option(named: Home) -> None:
    assert "-dash" not in offered(named, "albumup resume ")
    assert offered(named, "albumup resume 'my trip' my") == []
    assert offered(named, "albumup push --album=my") == ["--album=my trip"]


def test_the_scripts_are_those_that_the_program_prints(home: Home) -> None:
    for shell, name in FILES.items():
        printed = home.run(_ALBUMUP_COMPLETE=f"{shell}_source").stdout
        assert (ROOT / "completion" / name).read_text() == printed


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("albumup re", (["albumup"], "re", "")),
        ("albumup resume ", (["albumup", "resume"], "", "")),
        ("albumup resume my\\ t", (["albumup", "resume"], "my t", "")),
        ("albumup resume 'my t", (["albumup", "resume"], "my t", "'")),
        ('albumup resume "my" "', (["albumup", "resume", "my"], "", '"')),
        ("albumup resume my\\", (["albumup", "resume"], "my", "")),
        ("", ([], "", "")),
    ],
)
def test_a_line_is_split_where_the_cursor_is(line: str, words: tuple[list[str], str, str]) -> None:
    assert split(line) == words


def test_what_bash_is_given_means_the_name_in_each_kind_of_quotes() -> None:
    names = [*AWKWARD, '"', "'", "end\\", "!", '!"', "a\u3000b"]
    made = [(quote + quoted(name, quote), quote) for name in names for quote in ("", "'", '"')]
    # Readline closes a quote, but behind one.
    words = [
        word if not quote or (word.endswith(quote) and len(word) > 1) else word + quote
        for word, quote in made
    ]
    script = "\n".join(f"printf '%s\\0' {word}" for word in words)
    done = subprocess.run([need("bash"), "--norc", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == [name for name in names for _ in range(3)]


def test_a_name_that_no_line_can_hold_is_unfit() -> None:
    assert [is_fit(name) for name in ("a b", "a\nb", "\x1b[2J", "\udcff", "\u2028")] == [True] + [
        False
    ] * 4


def test_a_script_in_clicks_own_form_gets_what_click_says(home: Home) -> None:
    done = home.run(_ALBUMUP_COMPLETE="bash_complete", COMP_WORDS="albumup re", COMP_CWORD="1")
    assert done.stdout.splitlines() == ["plain,resume", "plain,retry-failed", "plain,receive"]


def test_the_kinds_offered_are_those_that_a_config_may_name(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert offered(home, "albumup target add nas --kind ") == ["form", "immich", "inbox"]
    monkeypatch.setattr(registry, "_plugins", lambda: {"shelf": None})
    assert registry.kinds() == ["form", "immich", "inbox", "shelf"]
