"""What an Immich server says of the types it takes, in whatever shape."""

from __future__ import annotations

import pytest

from albumup.targets.immich_api import suffixes_in


@pytest.mark.parametrize(
    ("said", "suffixes"),
    [
        (
            {"image": [".jpg", ".HEIC"], "video": [".mp4"], "sidecar": [".xmp"]},
            {".jpg", ".heic", ".mp4"},
        ),
        ({"image": [".jpg", None, 5, [".png"], "jpg", "", ".", "./x"], "video": []}, {".jpg"}),
        (
            {
                "image": [".\ud800", ".\x1b[2J", ".\N{RIGHT-TO-LEFT OVERRIDE}x", ".é"],
                "video": [".mp4"],
            },
            {".mp4"},
        ),
        ({"image": 5, "video": [".mp4"]}, set()),
        ({"image": ".jpg", "video": ".mp4"}, set()),
        ({"image": {".jpg": 1}, "video": []}, set()),
        ({"image": [".jpg"]}, set()),
        ([".jpg"], set()),
        (None, set()),
    ],
)
def test_only_two_lists_of_suffixes_say_what_is_taken(said: object, suffixes: set[str]) -> None:
    """Read otherwise, it would call every photo one that it does not take."""
    assert suffixes_in(said) == suffixes
