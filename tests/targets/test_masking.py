"""The token is masked in whatever form a server says it again."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from albumup.targets.masking import mask_for

TOKEN = 's3sa/me+Öffne dich"=='
HEADERS = {
    "bearer": ("Authorization", f"Bearer {TOKEN}"),
    "basic": ("Authorization", "Basic " + base64.b64encode(f"anna:{TOKEN}".encode()).decode()),
    "header": ("x-api-key", TOKEN),
}


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("auth", HEADERS)
@pytest.mark.parametrize(
    "echo",
    [
        TOKEN,
        TOKEN.upper(),
        quote(TOKEN, safe=""),
        json.dumps(TOKEN)[1:-1],
        b64(TOKEN),
        b64(TOKEN).rstrip("="),
        quote(b64(TOKEN), safe=""),
        b64(f"Bearer {TOKEN}"),
        b64(f"anna:{TOKEN}"),
        base64.urlsafe_b64encode(TOKEN.encode()).decode(),
        TOKEN.encode().hex(),
        TOKEN.encode().hex().upper(),
        f"Bearer {TOKEN}".encode().hex(),
        HEADERS["basic"][1],
    ],
)
def test_nothing_is_left_of_it(auth: str, echo: str) -> None:
    mask = mask_for(TOKEN, [HEADERS[auth]], "anna")
    left = mask.sub("", f"<{echo}>")
    assert left in ("<>", "<Basic >", "<=>", "<==>")


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz", '{"authorization": "Bearer '])
def test_within_base64_of_more_no_more_than_its_edges_are_left(before: str) -> None:
    text = b64(f"{before}{TOKEN} and more")
    left = mask_for(TOKEN, [HEADERS["bearer"]], "").sub("*", text).split("*")
    assert len(left) == 2
    assert len(left[0]) <= len(b64(before))
    assert len(left[1]) <= len(b64("? and more"))


def test_what_is_too_short_masks_no_other_text() -> None:
    mask = mask_for("pw", [("Authorization", "Bearer pw")], "")
    assert mask.sub("*", "cHc= 7077 the pw is") == "cHc= 7077 the * is"
