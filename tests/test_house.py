"""The order of the house, where import-linter cannot see it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import albumup

SOURCES = Path(albumup.__file__).parent
CALLS = {"execute", "executemany", "executescript", "rows"}
"""Methods of a connection, and of a journal, that take SQL."""
SQL = re.compile(
    r"\s*(?:select\s.*\bfrom\b|insert\s+(?:or\s+\w+\s+)?into\b|update\s+(?:or\s+\w+\s+)?\w+\s+set\b|delete\s+from\b"
    r"|(?:create|alter|drop)\s+(?:temp\s+)?(?:table|view|index|trigger)\b|pragma\s+\w|begin\s+immediate\b)",
    re.IGNORECASE | re.DOTALL,
)


def sql_in(text: str) -> Iterator[str]:
    """What of a module's source is SQL, or is given to somebody who wants it."""
    tree = ast.parse(text)
    words = {
        id(part) for one in ast.walk(tree) if isinstance(one, ast.JoinedStr) for part in one.values
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in CALLS
        ):
            yield ast.unparse(node)
        elif isinstance(node, ast.JoinedStr):
            parts = (one.value if isinstance(one, ast.Constant) else "x" for one in node.values)
            if SQL.match("".join(map(str, parts))):
                yield ast.unparse(node)
        elif (
            isinstance(node, ast.Constant) and id(node) not in words and SQL.match(str(node.value))
        ):
            yield ast.unparse(node)


def test_sql_is_spoken_in_the_journal_alone() -> None:
    found = {
        str(path.relative_to(SOURCES)): said
        for path in sorted(SOURCES.rglob("*.py"))
        if path.parent.name != "journal" and (said := list(sql_in(path.read_text())))
    }
    assert found == {}


LISTED = re.compile(
    r"\bstate (?:not )?in \('\w+',|\b(?:stage|membership|alone) (?:not )?(?:in \(|=|<>) ?\d"
)
TAKEN = re.compile(
    r"\bupdate task set\b(?:(?!\bwhere\b).)*\b(?:state|stage|membership) = ", re.DOTALL
)


def test_sets_of_states_and_steps_are_said_in_their_tables_alone() -> None:
    """SQL is made from the tables, but for migrations: they say what they said when released."""
    journal = {path.name: path.read_text() for path in sorted((SOURCES / "journal").glob("*.py"))}
    others = {
        name: text
        for name, text in journal.items()
        if name not in ("first_schema.py", "migrations.py", "schema.py", "states.py")
    }
    assert {
        name: LISTED.findall(text) for name, text in others.items() if LISTED.search(text)
    } == {}
    assert [name for name, text in others.items() if any(map(TAKEN.search, sql_in(text)))] == []
    assert LISTED.search("where state not in ('failed', 'missing')")
    assert any(
        map(
            TAKEN.search,
            sql_in("journal.rows(f'update task set tries = 0, stage = {stage} where id = ?')"),
        )
    )
    assert not any(
        map(TAKEN.search, sql_in("journal.rows('update task set tries = 0 where stage = ?')"))
    )


DECIDES = re.compile(r"\.transaction\(|\bFileLock\b")


def test_screens_change_and_lock_nothing() -> None:
    found = [
        path.name for path in (SOURCES / "cli").rglob("*.py") if DECIDES.search(path.read_text())
    ]
    assert found == []
    assert DECIDES.search("with journal.transaction():")


def test_no_file_is_two_rooms() -> None:
    long = {
        path.name: lines
        for path in SOURCES.rglob("*.py")
        if (lines := path.read_text().count("\n")) > 400
    }
    assert long == {}


TESTS = Path(__file__).parent
OF_ITS_OWN = {
    r"HTTPServer\b|\.listen\(": {"servers.py"},
    r"\bopenpty\(|\bpty\.fork\(": {
        "terminal.py",
        "cli/test_bars.py",  # the size of one on which no command runs
        "e2e/test_interrupt.py",  # one that nobody reads
    },
    r"\bzygote\.Started\(": {"home.py"},
}
"""What the tests' server, their terminal, and their person are made of, and who may use it."""


def test_the_tests_have_one_server_one_terminal_and_one_person() -> None:
    for pattern, known in OF_ITS_OWN.items():
        found = {
            path.relative_to(TESTS).as_posix()
            for path in TESTS.rglob("*.py")
            if path != Path(__file__) and re.search(pattern, path.read_text())
        }
        assert found <= known, f"tests/servers.py, terminal.py and home.py have these: {pattern}"
        assert found, pattern


def test_sql_is_known_when_it_is_seen() -> None:
    seen = (
        "rows = journal.rows(QUERY, album)",
        "connection.execute(sql)",
        "QUERY = 'select id from task'",
        "QUERY = f'update task set state = {state}'",
        "QUERY = 'delete from task'",
    )
    assert all(list(sql_in(one)) for one in seen)
    assert not list(sql_in("say('Begin with: albumup resume'); names.insert(0, 'update')"))
