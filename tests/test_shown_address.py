"""Addresses are shown, and journaled, without the parts that are secrets by their place."""

from __future__ import annotations

import pytest

from albumup.config.shown_address import identity_of, secrets_in, shown_address


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h.example/up", "https://h.example/up"),
        ("https://h.example/up?api=abc", "https://h.example/up?api=********"),
        ("https://h.example/up?a=1&b=2", "https://h.example/up?a=********&b=********"),
        ("https://h.example/up?api=a=b", "https://h.example/up?api=********"),
        ("https://h.example/up?3f9c0a7d51e2b846", "https://h.example/up?********"),
        ("https://h.example/up?upload&api=", "https://h.example/up?upload&api="),
        ("https://h.example/{album}?in={album}", "https://h.example/{album}?in={album}"),
        ("https://h.example/up?in=abc-{album}", "https://h.example/up?in=********"),
        ("https://anna:pw@h.example/up", "https://********@h.example/up"),
        ("https://anna:p@w@h.example/up", "https://********@h.example/up"),
        ("https://h.example/up?a=b#abc", "https://h.example/up?a=********#********"),
    ],
)
def test_what_is_a_secret_by_its_place_is_not_shown(url: str, shown: str) -> None:
    assert shown_address(url) == shown
    assert shown_address(shown) == shown


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("https://h.example/up?api=hush-7f", {"hush-7f", "api=hush-7f"}),
        ("https://h.example/up?k=a%2Fb-c", {"a%2Fb-c", "a/b-c", "k=a%2Fb-c", "k=a/b-c"}),
        ("https://h.example/up?v=1&mode=upload", {"v=1", "mode=upload"}),
        ("https://anna:hunter2@h.example/up", {"anna:hunter2", "hunter2"}),
        ("https://h.example/up?in={album}", set()),
        ("no address?api=hush-7f", set()),
    ],
)  # fmt: skip
def test_what_a_server_may_repeat_of_it(url: str, secrets: set[str]) -> None:
    assert secrets_in(url) == secrets


def test_two_addresses_that_look_alike_are_still_told_apart() -> None:
    one, other = (identity_of(f"https://h.example/up?api={word}") for word in ("abc", "abd"))
    assert one != other
    assert "abc" not in one
    assert identity_of("https://h.example/up") == "https://h.example/up"
