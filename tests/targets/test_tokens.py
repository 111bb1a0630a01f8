"""Where a token is, in words that name the key, the option, the file or the variable."""

from __future__ import annotations

import pytest

from albumup.config.file import OPTIONS
from albumup.config.settings import FormSettings
from albumup.targets.form import FormTarget
from albumup.targets.tokens import how_to_mend

FILE = "~/config.toml: targets.home"
SOURCES = {
    "token_file": ({"token_file": "~/home.token"}, "its token is in ~/home.token ({key})"),
    "token_env": (
        {"token_env": "HOME_KEY"},
        "its token is in the environment variable HOME_KEY ({key})",
    ),
    "token_command": (
        {"token_command": ["pass", "show", "my/secret"]},
        "its token is what pass prints ({key})",
    ),
    "token": ({"token": "s3cret"}, "its token is in {key}"),
}


def target(where: str, **settings: object) -> FormTarget:
    return FormTarget(
        "home",
        FormSettings(url="https://h.example", **settings),
        "s3cret" if settings else None,
        where,
    )


@pytest.mark.parametrize("key", SOURCES)
@pytest.mark.parametrize("status", [401, 403, 400])
def test_a_refusal_names_the_key_that_holds_the_token_and_the_next_command(
    key: str, status: int
) -> None:
    settings, words = SOURCES[key]
    found = how_to_mend(target(FILE, **settings), status)
    assert words.format(key=f"{FILE}.{key}") in found
    assert "then: albumup resume" in found
    assert "albumup target check home" in found
    assert "s3cret" not in found
    assert "my/secret" not in found


@pytest.mark.parametrize("key", ["token_file", "token_env"])
def test_a_refusal_of_what_url_described_names_the_option(key: str) -> None:
    settings, words = SOURCES[key]
    found = how_to_mend(target(OPTIONS, **settings), 401)
    assert words.format(key="--" + key.replace("_", "-")) in found
    assert "then: albumup resume" in found


def test_where_there_is_no_token_it_says_so() -> None:
    assert f"no token is set: {FILE}.token_file" in how_to_mend(target(FILE), 401)
    options = how_to_mend(target(OPTIONS), 401)
    assert options.startswith("no token is set: --token-file FILE or --token-env NAME")
    assert "push again with --url" in options


def test_basic_names_the_user_too_and_a_full_server_is_no_matter_of_tokens() -> None:
    found = how_to_mend(target(FILE, token="s3cret", auth="basic", user="anna"), 401)
    assert f"{FILE}.user" in found
    assert "token" not in how_to_mend(target(FILE, token="s3cret"), 507)
