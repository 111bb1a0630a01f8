"""Names as they are typed: a shell reads the same name again, and a screen changes nothing in
it."""

from __future__ import annotations

import os
import subprocess

import pytest

from albumup.cli.escaping import escape
from albumup.photos.file_names import folder_of, name_of, quoted, text_of


@pytest.mark.parametrize(
    "name",
    [
        b"trip",
        b"O'Hara's \"trip\" \\ $HOME `x`",
        b"a\nb\x1b[31m\x7f",
        b"\xff caf\xe9",
        "👨‍👩‍👧 \u202e\u00a0ü".encode(),
    ],
)
def test_a_name_is_typed_so_that_a_shell_reads_it_again_from_the_screen(name: bytes) -> None:
    typed = quoted(text_of(name))
    assert escape(typed) == typed
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", f"printf %s {typed}"], capture_output=True, check=True, env=environment
    )
    assert done.stdout == name


@pytest.mark.parametrize("path", [b"/a/b/c.jpg", b"/a/b", b"/a", b"/", b"/\xff/\n/x"])
def test_folder_and_name_of_a_path_are_what_the_library_says(path: bytes) -> None:
    assert (folder_of(path), name_of(path)) == os.path.split(path)
