"""The one way out to a terminal: no text that anybody wrote is obeyed there."""

from __future__ import annotations

import ast
import io
import json
import os
import sys
import unicodedata
from pathlib import Path
from typing import IO, cast

import pytest

from albumup.cli import gate
from albumup.cli.bars import Bars
from albumup.cli.escaping import escape, json_line, offered, tame
from albumup.cli.gate import Gate, Own
from albumup.cli.screen import Screen, put
from albumup.cli.tables import table
from albumup.session.rate import Rate
from albumup.uploader.events import Pause, Progress, Upload

_OURS = Path(gate.__file__).parents[1]
_WRITERS = {"cli/gate.py", "cli/screen.py", "__main__.py"}
"""The modules that name stdout and stderr in order to write to them."""
_WRITING = {
    "print", "echo", "secho", "echo_via_pager", "print_exception", "print_exc", "showwarning",
}  # fmt: skip


def bad_ones(text: str) -> list[str]:
    """What a terminal may obey, or that nobody sees, in a text that is on one line."""
    return [one for one in text if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


CONTROLS = [chr(number) for number in (*range(0x20), *range(0x7F, 0xA0))]
UNSEEN = [
    *"\u00ad\u061c\u200b\u200d\u200e\u2028\u2029\u202e\u2066\u2069\ufeff\u3164\U000e0041",
    "\udc9b",
    "\ud800",
]


@pytest.mark.parametrize("letter", [*CONTROLS, *UNSEEN], ids=ascii)
def test_nothing_that_a_terminal_obeys_gets_through(letter: str) -> None:
    text = f"a{letter}b"
    assert bad_ones(escape(text)) == []
    assert escape(text)[:2] == "a\\"
    assert tame(text) == (text if letter == "\n" else escape(text))
    assert tame(escape(text)) == escape(text), "what is escaped stays as it is"


def test_letters_of_all_kinds_stay_as_they_are() -> None:
    for text in (
        "IMG_1.JPG",
        "Übung Åse",
        "日本\u3000🏔",
        "at 5.00\u202fPM.png",
        "a\\x1bb",
        "≥ … ×",
    ):
        assert escape(text) == tame(text) == text
    assert len(escape("x" * 10_000)) == 400


def test_a_gate_lets_out_lines_and_letters_whoever_writes() -> None:
    raw = io.BytesIO()
    stream = Gate(raw, "utf-8", "backslashreplace")
    print("one\x1b[31m", "two\r", file=stream)
    stream.writelines(["a\tb\n", "\x9b5m\n"])
    assert stream.write("\udc9b") == 1
    with pytest.raises(TypeError):
        stream.write(b"")  # type: ignore[arg-type]
    stream.flush()
    assert raw.getvalue() == b"one\\x1b[31m two\\x0d\na\\x09b\n\\x9b5m\n\\x9b"


def test_a_shell_that_completes_gets_names_letter_by_letter() -> None:
    """A name is typed as it is, with the spaces of Japan and families of emoji; controls are no
    part of one."""
    name = "旅行\u30002026 👨\u200d👩\u200d👧"
    assert offered(f"plain\t{name}\n") == f"plain\t{name}\n"
    assert bad_ones(offered("\x1b]0;x\x07\x9b\u2028\udc9b")) == []


def test_our_own_markup_is_a_closed_list() -> None:
    raw = io.StringIO()
    own = Own(raw)
    own.write("\r\x1b[Atrip\x1b[K\n\x1b[31mred\x1b[0m")
    assert raw.getvalue() == "\r\x1b[Atrip\x1b[K\n\x1b[31mred\x1b[0m"
    raw.truncate(0)
    raw.seek(0)
    own.write("\x1b]0;title\x07 \x1b[2J \x1b[6n \x1bc \x9b2J \b")
    assert bad_ones(raw.getvalue()) == []


@pytest.mark.parametrize("color", ["never", "always"])
def test_a_sentence_that_was_not_escaped_is_one_line_without_escapes(
    capsys: pytest.CaptureFixture[str], color: str
) -> None:
    screen = Screen(quiet=False, verbose=0, progress="none", color=color)
    screen.say("a server says \x1b[31m\r\nalbumup: all is safe to erase", "red")
    screen.complain("and \x1b[2J so \u202e on")
    put("and \x1b[A out")
    out, err = capsys.readouterr()
    painted = err.replace("\x1b[31m", "", 1).replace("\x1b[0m", "", 1) if color == "always" else err
    assert painted.splitlines() == [
        "a server says \\x1b[31m\\x0d\\x0aalbumup: all is safe to erase",
        "and \\x1b[2J so \\u202e on",
    ]
    assert out == "and \\x1b[A out\n"


def test_a_cell_of_a_table_is_a_cell() -> None:
    found = table(("NAME", "WHY"), [("one\nROW", "\t\x1b[2J")])
    assert [line for text in found.splitlines() for line in bad_ones(text)] == []
    assert len(found.splitlines()) == 2


def test_bars_show_what_was_not_escaped_as_text() -> None:
    raw = io.StringIO()
    upload = Upload(b"IMG\x1b[A.JPG", 10, 5)
    progress = Progress(
        0, 1, 5, 10, True, 0, 0, (upload,), (Pause("club", "down \x1b[31m\x1b[A\r\n", 1.0, 2.0),)
    )
    Bars(cast("IO[str]", Own(raw))).show(progress, "trip\x1b[A\nalbumup: FORGED", Rate())
    shown = raw.getvalue()
    assert "trip\\x1b[A\\x0aalbumup: FORGED" in shown
    assert "IMG\\x1b[A.JPG" in shown
    assert "\x1b[31m" not in shown
    assert "\x1b[A" not in shown.partition("trip")[2]


def test_json_is_fit_for_a_terminal_and_stays_json() -> None:
    value = {"error": "".join((*CONTROLS, *UNSEEN))}
    line = json_line(value)
    assert bad_ones(line.decode("ascii").rstrip("\n")) == []
    assert json.loads(line) == value


def test_nobody_else_writes_to_the_terminal() -> None:
    """By construction: whoever wants to say something has only the screen, or a stream with a gate
    before it."""
    found = []
    for path in _OURS.rglob("*.py"):
        name = path.relative_to(_OURS).as_posix()
        if name in _WRITERS:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                is_written = called == "write" and ast.unparse(node.func).startswith(
                    ("sys.", "os.write(1", "os.write(2")
                )
                if called in _WRITING or is_written:
                    found.append(f"{name}: {ast.unparse(node)}")
    assert found == ["cli/app.py: click.echo(f'albumup {__version__}')"]


def test_only_paths_for_other_programs_go_out_as_they_are() -> None:
    callers = {
        path.relative_to(_OURS).as_posix()
        for path in _OURS.rglob("*.py")
        if "put_raw(" in path.read_text() or "put_pieces(" in path.read_text()
    }
    assert callers == {"cli/screen.py", "cli/list_.py", "cli/verify.py", "cli/schedule.py"}, (
        "-0, and what is escaped already; a file for a scheduler, off a terminal"
    )


def test_install_leaves_no_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdout", "stderr"):
        stream = io.TextIOWrapper(io.BytesIO(), "utf-8", "strict", line_buffering=True)
        monkeypatch.setattr(sys, name, stream)
        monkeypatch.setattr(sys, f"__{name}__", stream)
    gate.install()
    assert isinstance(sys.stdout, Gate) and isinstance(sys.stderr, Gate)
    assert sys.__stdout__ is sys.stdout and sys.__stderr__ is sys.stderr


def test_a_sentence_goes_out_with_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[bytes] = []
    monkeypatch.setattr("sys.stderr", open(os.devnull, "w"))  # noqa: SIM115 - the screen's
    monkeypatch.setattr("albumup.cli.outlet.Outlet.put", lambda _, data: pieces.append(data))
    screen = Screen(quiet=False, verbose=0, progress="none", color="never")
    screen.never_wait()
    screen.say("all is well")
    screen.wait_again()
    assert pieces == [b"all is well\n"]
