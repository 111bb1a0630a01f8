"""What of a target's settings frames a body: a change of it frames anew, a change of the rest does
not."""

from __future__ import annotations

from typing import Any

import pytest

from albumup.config.definition import fingerprint, kept
from albumup.config.settings import FormSettings, ImmichSettings

URL = "https://club.example.org/up"


def form(**more: Any) -> str:
    return fingerprint("form", FormSettings(url=URL, **more))


@pytest.mark.parametrize(
    "more",
    [
        {"method": "PUT"},
        {"file_field": "photo"},
        {"filename": "{sha256:.8}-{name}"},
        {"fields": {"title": "{name}"}},
        {"headers": {"X-Club": "ski"}},
        {"vars": {"club": "ski"}},
        {"auth": "bearer"},
        {"user": "anna"},
        {"timezone": "Europe/Berlin"},
    ],
)
def test_what_goes_into_request_and_body_is_another_definition(more: dict[str, Any]) -> None:
    assert form(**more) != form()


@pytest.mark.parametrize(
    "more",
    [
        {"token_file": "club.token"},
        {"token_env": "CLUB"},
        {"token": "hush"},
        {"ca_file": "club.pem"},
        {"timeout": 5.0},
        {"settle": 1.0},
        {"resend": "never"},
        {"success": (201,)},
        {"success_text": "Danke"},
        {"failure_text": "zu gross"},
        {"duplicate": (409,)},
        {"id": "data.id"},
        {"page": "data.url"},
        {"share": f"{URL}/{{album}}"},
        {"check": f"{URL}/me"},
        {"taken_fallback": "mtime"},
        {"file_field": "file"},
        {"method": "POST"},
    ],
)
def test_how_answers_are_read_and_where_the_token_is_frames_nothing(more: dict[str, Any]) -> None:
    assert form(**more) == form()


def test_the_order_of_the_fields_is_the_wires() -> None:
    assert form(fields={"a": "1", "b": "2"}) != form(fields={"b": "2", "a": "1"})


def test_another_url_or_kind_is_another_definition() -> None:
    assert fingerprint("form", FormSettings(url=URL + "s")) != form()
    assert fingerprint("immich", ImmichSettings(url=URL)) != form()


@pytest.mark.parametrize("source", [{"token": "s3cr3t"}, {"token_command": ("echo", "s3cr3t")}])
def test_no_token_is_kept(source: dict[str, Any]) -> None:
    text = kept("form", FormSettings(url=URL, fields={"key": "{token}"}, **source), "club")
    assert "s3cr3t" not in text
    assert '"has_token": true' in text
