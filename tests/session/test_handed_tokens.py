"""Tokens that a command hands to its uploader in the background."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from albumup.config import token_source
from albumup.session import handed_tokens

PASS, GPG = ("pass", "home"), ("gpg", "-d", "club")


@pytest.fixture
def printed() -> Iterator[dict[tuple[str, ...], str]]:
    with patch.dict(token_source._printed, clear=True):
        yield token_source._printed


@pytest.fixture(autouse=True)
def _own_input(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A standard input that is the test's: it may be replaced."""
    number = os.open(os.devnull, os.O_RDONLY)
    monkeypatch.setattr(handed_tokens, "_INPUT", number)
    yield
    os.close(number)


def give(descriptor: int) -> None:
    os.dup2(descriptor, handed_tokens._INPUT)
    os.close(descriptor)


def test_they_arrive_and_the_pipe_is_left(printed: dict[tuple[str, ...], str]) -> None:
    printed.update({PASS: "not-a-real-token", GPG: "not-one-\u00e4ither"})
    give(handed_tokens.handed())
    printed.clear()
    handed_tokens.take()
    assert printed == {PASS: "not-a-real-token", GPG: "not-one-\u00e4ither"}
    assert os.fstat(handed_tokens._INPUT).st_rdev == os.stat(os.devnull).st_rdev


def test_what_is_no_pipe_is_not_read(printed: dict[tuple[str, ...], str], tmp_path: Path) -> None:
    (tmp_path / "typed").write_text('[[["pass"], "not-a-real-token"]]')
    give(os.open(tmp_path / "typed", os.O_RDONLY))
    handed_tokens.take()
    assert printed == {}


def test_too_much_for_a_pipe_is_not_handed_over(printed: dict[tuple[str, ...], str]) -> None:
    printed[PASS] = "x" * (1 << 20)
    give(handed_tokens.handed())
    printed.clear()
    handed_tokens.take()
    assert printed == {}
