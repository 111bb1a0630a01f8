"""The order of photos in a folder."""

from __future__ import annotations

import re

from albumup.photos.file_names import text_of

_NUMBER = re.compile(r"0*([0-9]+)")


def natural_key(name: bytes) -> str:
    """A key that sorts names as people do: numbers by value, letters without case.

    Different names have different keys. The key is one string, which takes less memory than a
    tuple. A number becomes ``0``, its count of digits as a character, and its digits. So numbers
    sort by length first, and like digits against other characters.
    """
    text = text_of(name)
    return (
        _NUMBER.sub(lambda number: f"0{chr(len(number[1]))}{number[1]}", text.casefold())
        + "\0"
        + text
    )
