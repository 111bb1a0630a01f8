"""ALBUM on the command line: which one is meant, and what is said when none is."""

import pytest

from albumup.errors import UsageError
from albumup.session.albums import chosen


@pytest.mark.parametrize("name", ["Zürich 2026 ☀", "沖縄", "Ελλάδα 🏖"])
def test_albums_are_named_in_the_letters_they_were_given(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen([(name, "inbox")], [name[:-1]])
    assert repr(name[:-1]) in str(caught.value)
    assert repr(name) in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["\x1b[2J", "a\u202eb", "a\udcffb"])
def test_what_a_terminal_might_obey_in_a_name_is_escaped(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen([(name, "inbox")], [f"{name}?"])
    assert (
        str(caught.value).startswith("there is no album '")
        and name not in str(caught.value).partition(";")[0]
    )
    assert name not in (caught.value.hint or "")


def test_without_albums_the_way_to_one_is_said() -> None:
    with pytest.raises(UsageError) as caught:
        chosen([], ["trip"])
    assert "albumup push FOLDER" in (caught.value.hint or "")
