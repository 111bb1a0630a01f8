"""Templates, addresses, durations, sizes and rates: what is read is right, and what is refused is
refused in words."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albumup.config.template import (
    NAMES,
    Template,
    check_address,
    host_of,
    nearest,
    parse_duration,
    parse_rate,
    parse_size,
)
from albumup.errors import ConfigError, UsageError

WHERE = "~/config.toml: targets.club.url"


def refused(text: str, allowed: frozenset[str] = frozenset(NAMES)) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        Template(text, allowed, WHERE)
    assert str(caught.value).startswith(f"{WHERE}: ")
    return caught.value


# --- templates


def test_names_and_text_are_put_together() -> None:
    template = Template("{{{album}}} no {index:03} of {total}: {name}", frozenset(NAMES), WHERE)
    assert template.names == {"album", "index", "total", "name"}
    values = {"album": "trip", "index": 7, "total": 312, "name": "a.jpg"}
    assert template.fill(values) == "{trip} no 007 of 312: a.jpg"


def test_a_text_without_names_is_itself() -> None:
    template = Template("just text", (), WHERE)
    assert template.names == frozenset()
    assert template.fill({}) == "just text"


def test_dates_keep_their_offset() -> None:
    taken = datetime(2024, 7, 1, 9, 5, 2, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
    template = Template("{taken:%Y-%m-%dT%H:%M:%S%z}", {"taken"}, WHERE)
    assert template.fill({"taken": taken}) == "2024-07-01T09:05:02-0330"
    assert (
        Template("{taken}", {"taken"}, WHERE).fill({"taken": taken}) == "2024-07-01 09:05:02-03:30"
    )


@pytest.mark.parametrize(
    "spec", ["%Y:%m:%d %H:%M:%S", "%-d.%-m.%Y", "100%% on %A", "%FT%T%z", "%j%%"]
)
def test_known_date_codes_pass(spec: str) -> None:
    Template(f"{{taken:{spec}}}", {"taken"}, WHERE)


def test_names_of_the_targets_own_vars_are_text() -> None:
    assert Template("{club:>6}", {"club"}, WHERE).fill({"club": "foto"}) == "  foto"
    assert "{club:d}" in str(refused("{club:d}", frozenset({"club"})))


def test_every_builtin_name_has_a_sample_that_fills() -> None:
    for name, sample in NAMES.items():
        assert Template(f"{{{name}}}", NAMES, WHERE).fill(NAMES) == str(sample)
    assert all(isinstance(NAMES[name], int) for name in ("size", "index", "total"))
    for name in ("taken", "modified"):
        sample = NAMES[name]
        assert isinstance(sample, datetime) and sample.tzinfo is not None


@pytest.mark.parametrize(
    "text",
    [
        "{name.x}", "{name[0]}", "{name.__class__}", "{name!r}", "{name!s:>5}", "{}", "{:>5}",
        "{taken.year:04}",
    ],
)  # fmt: skip
def test_only_plain_names_are_taken(text: str) -> None:
    error = refused(text)
    assert "plain name" in str(error)
    assert "album" in error.hint and "sha256" in error.hint


def test_a_position_is_no_name() -> None:
    assert "{0}" in str(refused("{0}"))


def test_a_name_inside_a_format_spec_is_refused() -> None:
    assert "format spec" in str(refused("{name:{index}}"))


def test_an_unknown_name_is_told_with_the_nearest_and_all() -> None:
    error = refused("https://x/{albun}/photos", frozenset({"album", "name"}))
    assert "{albun}" in str(error) and "did you mean album?" in str(error)
    assert error.hint.endswith("album, name")


def test_a_name_far_from_all_gets_no_guess_and_all_names() -> None:
    error = refused("{xyzzy}")
    assert str(error).endswith("unknown name {xyzzy}")
    assert "album, index" in error.hint


def test_a_known_name_in_the_wrong_place_gets_no_misleading_guess() -> None:
    error = refused("{token}", frozenset({"taken", "album"}))
    assert "{token} cannot be used here" in str(error) and "taken" not in str(error)
    assert error.hint.endswith("album, taken")


@pytest.mark.parametrize(
    "text", ["{", "}", "{album", "album}", "{album!}", "{al{bum}}", "{album!rx}"]
)
def test_unbalanced_braces_are_refused_without_quoting_the_text(text: str) -> None:
    error = refused("hunter2 " + text)
    assert "brace" in str(error)
    assert "hunter2" not in str(error) + error.hint


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("{name:d}", "text"),
        ("{name:%Y}", "text"),
        ("{size:%Y}", "number"),
        ("{index:s}", "number"),
        ("{taken:d}", "% codes"),
        ("{taken:03}", "% codes"),
        ("{taken:%Y-%Q}", "unknown % code"),
        ("{taken:%s}", "unknown % code"),
        ("{modified:%Y%}", "unknown % code"),
    ],
)
def test_a_format_that_does_not_fit_its_type_is_refused(text: str, fact: str) -> None:
    message = str(refused(text))
    assert text in message and fact in message


def test_a_missing_value_is_a_mistake_of_the_program() -> None:
    with pytest.raises(KeyError):
        Template("{name}", {"name"}, WHERE).fill({})


# --- templates of addresses


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"])).filter(
        lambda text: text not in (".", "..")
    )
)
def test_a_value_in_an_address_comes_back_as_it_was(value: str) -> None:
    url = Template("https://x.example/{album}/photos?a={name}", {"album", "name"}, WHERE).fill_url(
        {"album": value, "name": value}
    )
    assert re.fullmatch(r"[A-Za-z0-9%._~/:?=-]*", url)
    parts = urlsplit(url)
    _, album, photos = parts.path.split("/")
    assert photos == "photos"
    assert (
        unquote_to_bytes(album)
        == value.encode()
        == unquote_to_bytes(parts.query.removeprefix("a="))
    )


@given(st.binary())
def test_undecodable_bytes_of_a_name_come_back_too(raw: bytes) -> None:
    if raw not in (b".", b".."):
        name = raw.decode("utf-8", "surrogateescape")
        assert unquote_to_bytes(Template("{name}", {"name"}, WHERE).fill_url({"name": name})) == raw


def test_the_text_of_an_address_is_left_as_it_is() -> None:
    template = Template("https://x/a%20b/{album}?q=ü&r={index:03}", {"album", "index"}, WHERE)
    assert (
        template.fill_url({"album": "Ö/1?", "index": 5})
        == "https://x/a%20b/%C3%96%2F1%3F?q=ü&r=005"
    )


@pytest.mark.parametrize("value", [".", ".."])
def test_a_value_that_would_be_a_step_in_the_path_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match=r"\{album\} is"):
        Template("https://x/{album}/photos", {"album"}, WHERE).fill_url({"album": value})


@pytest.mark.parametrize(
    "url",
    [
        "https://x",
        "http://192.168.1.2:8080/up",
        "HTTPS://X.example/{album}?a=1",
        "http://[::1]:8000/",
        "https://x/@anna",
    ],
)
def test_good_addresses(url: str) -> None:
    check_address(url, WHERE)


@pytest.mark.parametrize(
    ("url", "fact"),
    [
        ("", "https://"),
        ("club.example.org/upload", "https://"),
        ("ftp://x/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("https://", "no host"),
        ("https:///upload", "no host"),
        ("https://:8080/", "no host"),
        ("https://x:http/", "no host"),
        ("https://[::1/", "no host"),
        ("https://x/a b", "spaces"),
        ("https://x/a\nb", "spaces"),
        ("https://{album}.example.org/", "host"),
    ],
)
def test_bad_addresses(url: str, fact: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_address(url, WHERE)
    assert str(caught.value).startswith(f"{WHERE}: ") and fact in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://anna:hunter2@x/",
        "https://hunter2@x/",
        "https://anna:hunter2@x:99999/",
        "https://anna:hunter2[@x/",
        "https://anna:hunter2/more@x/",
        "https://anna:hunter2?more@x/",
        "https://anna:hunter2 @x/",
        "anna:hunter2@x",
    ],
)
def test_a_password_in_an_address_is_refused_and_never_quoted(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_address(url, WHERE)
    assert "hunter2" not in str(caught.value) + caught.value.hint
    if url.endswith("hunter2@x/"):
        assert "user:password@" in str(caught.value) and "basic" in caught.value.hint


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://Photos.example.org/up", "photos.example.org"),
        ("https://x.example:443/", "x.example"),
        ("http://x.example:80/", "x.example"),
        ("https://x.example:8443/", "x.example"),
        ("http://[::1]:8080/", "::1"),
    ],
)
def test_the_name_of_a_host(url: str, name: str) -> None:
    assert host_of(url) == name


def test_nearest_has_no_regard_to_case_and_a_cut_off() -> None:
    assert nearest("Sucess", ["success", "share"]) == "success"
    assert nearest("post", ["POST", "PUT"]) == "POST"
    assert nearest("trip", ["strip", "trip to Rome 2026"]) == "trip to Rome 2026"
    assert nearest("xyzzy", []) is None


@pytest.mark.parametrize(
    ("word", "choices", "found"),
    [
        ("d3", ["wed3", "rome"], None),
        ("d3", ["d4"], None),
        ("psh", ["push", "resume"], "push"),
        ("pusj", ["push", "resume"], "push"),
        ("psuh", ["push", "resume"], "push"),
        ("lsit", ["list", "resume"], "list"),
        ("retry", ["resume", "retry-failed"], "retry-failed"),
        ("re", ["resume", "retry-failed"], None),
        ("ls", ["list"], None),
        ("xyzzy", ["success", "share"], None),
        ("Berlin", ["Europe/Berlin", "Europe/Paris"], "Europe/Berlin"),
        ("tripp", ["trip", "trip 2026"], "trip"),
        ("", ["a", "trip"], None),
        ("写真", ["写真館", "旅行"], "写真館"),
    ],
)
def test_a_near_miss_is_a_third_of_the_letters_away_at_most(
    word: str, choices: list[str], found: str | None
) -> None:
    assert nearest(word, choices) == found
    assert nearest(word, reversed(choices)) == found


# --- amounts


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("300", 300),
        ("90s", 90),
        ("5m", 300),
        ("24h", 86400),
        ("7d", 604800),
        ("1w", 604800),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("0", 0),
        (" 5M ", 300),
        ("0.5", 0.5),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "m", "5 m", "-5m", "5x", "5ms", "nan", "inf", "1e3", "5m3", "٣s", "9" * 400 + "s"]
)
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="duration such as"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("512", 512),
        ("512B", 512),
        ("1k", 1024),
        ("500K", 512000),
        ("2M", 2 * 1024**2),
        ("2MB", 2 * 1024**2),
        ("2 MiB", 2 * 1024**2),
        ("1.5G", 1536 * 1024**2),
        ("1T", 1024**4),
        (" 2m ", 2 * 1024**2),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert isinstance(parse_size(text), int)


@pytest.mark.parametrize(
    "text", ["", "M", "-1M", "2X", "2MM", "1,5M", "0x10", "nan", "٣M", "9" * 400]
)
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="size such as"):
        parse_size(text)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A local time in a week whose day 1 is a Monday."""
    return datetime(2024, 7, day, hour, minute, 59)


def test_one_rate_holds_always() -> None:
    assert parse_rate("2M").at(at(1, 0)) == parse_rate(" 2m ").at(at(7, 23, 59)) == 2 * 1024**2
    assert parse_rate("off").at(at(3, 12)) is None


@pytest.mark.parametrize("day", range(1, 8))
def test_a_timetable_holds_each_day_and_over_midnight(day: int) -> None:
    table = parse_rate("08:00,1M 23:00,off")
    assert table.at(at(day, 7, 59)) is None
    assert table.at(at(day, 8)) == table.at(at(day, 22, 59)) == 1024**2
    assert table.at(at(day, 23)) is None


def test_the_order_of_the_entries_does_not_matter() -> None:
    assert parse_rate("23:00,off 8:00,1M") == parse_rate("08:00,1M 23:00,off")


def test_a_weekday_goes_before_the_daily_entry() -> None:
    table = parse_rate("08:00,1M 23:00,off Sat-08:00,2M")
    assert table.at(at(5, 12)) == 1024**2
    assert table.at(at(6, 12)) == 2 * 1024**2
    assert table.at(at(6, 23)) is None
    assert table.at(at(7, 12)) == 1024**2


def test_a_week_goes_round() -> None:
    table = parse_rate("Mon-09:00,512 Fri-18:00,off")
    assert table.at(at(1, 8, 59)) is None
    assert table.at(at(1, 9)) == table.at(at(4, 0)) == table.at(at(5, 17, 59)) == 512
    assert table.at(at(7, 12)) is None


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("", "expected a rate"),
        ("fast", "fast"),
        ("0", "off"),
        ("08:00,0", "off"),
        ("24:00,1M", "24:00,1M"),
        ("08:60,1M", "08:60,1M"),
        ("Sam-08:00,1M", "Sam-08:00,1M"),
        ("08:00,1M 23:00", "23:00"),
        ("1M 2M", "1M"),
        ("08:00,1M 08:00,2M", "two rates"),
        ("Mon-08:00,1M mon-8:00,2M", "two rates"),
        ("08:00,quick", "quick"),
    ],
)
def test_no_rates(text: str, fact: str) -> None:
    with pytest.raises(ValueError, match=re.escape(fact)):
        parse_rate(text)
