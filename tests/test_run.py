"""How a run that fails is told."""

from __future__ import annotations

import errno
import os

import pytest

from albumup.errors import AlbumupError, TryLater
from albumup.uploader.run import _fault_of


@pytest.mark.parametrize("lacking", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_lack_of_files_is_no_fault_of_the_program(lacking: int) -> None:
    """A library that is loaded late, with none left to open, says so by an error of its own."""
    fault = _fault_of(OSError(lacking, os.strerror(lacking), "request.py"))
    assert str(fault) == f"cannot open another file: {os.strerror(lacking)}"
    assert "albumup resume" in fault.hint


def test_another_error_names_its_place() -> None:
    assert "a fault of albumup itself: KeyError" in str(_fault_of(KeyError("x")))


def test_an_error_with_words_keeps_them() -> None:
    error: AlbumupError = TryLater("the disk is away")
    assert _fault_of(error) is error
