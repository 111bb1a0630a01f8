"""What settings must be beyond their types: addresses, headers, names of secrets, time zones."""

from __future__ import annotations

import re
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from albumup.config.template import NAMES, check_address, did_you_mean
from albumup.errors import ConfigError

# The words in a field's name decide: api_key, apiKey and x-auth are secrets; keywords, author and
# monkey are not.
_SECRET_WORDS = {
    "token",
    "key",
    "secret",
    "password",
    "passwd",
    "pwd",
    "pass",
    "passphrase",
    "credential",
    "credentials",
    "authorization",
    "authentication",
    "cookie",
    "auth",
}
_SECRET_WORDS |= {"apikey", "accesskey", "secretkey", "authkey"}
_SECRET_ENDS = ("token", "secret", "password", "passwd", "apikey")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.1
_FRAMING = ("content-length", "content-type", "transfer-encoding", "host", "expect", "connection")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Place(Protocol):
    """Names the place of a key for messages: file and full key, or the option."""

    def __call__(self, *keys: str) -> str: ...


def is_secret_name(name: str) -> bool:
    """Does the name of a field, a variable or a query parameter promise a secret?"""
    words = {word.lower() for word in _WORD.findall(name)}
    return not words.isdisjoint(_SECRET_WORDS) or name.lower().endswith(_SECRET_ENDS)


def check_no_secret(name: str, value: str, where: str) -> None:
    """Raise ConfigError if the field ``name`` is for secrets and ``value`` is a literal: no
    template name, not empty.

    ``where`` begins the message, which shows the line to write instead, and never the value.
    """
    if not value or not is_secret_name(name):
        return
    if any(found in NAMES for found in re.findall(r"\{(\w+)[}:]", value)):
        return
    line = f"--field '{name}={{token}}'" if is_option(where) else f'{name} = "{{token}}"'
    raise ConfigError(
        f"{where}: a secret does not belong here; write instead: {line}",
        f"The secret itself comes from {token_source(where)}",
    )


def check_headers(headers: dict[str, str], place: Place) -> None:
    """Raise ConfigError for a header that carries credentials, or frames or breaks a request."""
    seen: set[str] = set()
    for name, value in headers.items():
        where, lowered = place("headers", name), name.lower()
        if not HEADER_NAME.fullmatch(name):
            raise ConfigError(f"{where}: not a header's name")
        if is_secret_name(name) or any(word in lowered for word in ("key", "token")):
            raise ConfigError(
                f"{where}: credentials are not given as a header; {_instead(name, value, where)}"
            )
        if lowered in _FRAMING:
            raise ConfigError(f"{where}: albumup sets this header itself")
        if lowered in seen:
            raise ConfigError(f"{where}: given twice")
        seen.add(lowered)
        if not value.isascii() or CONTROL.search(value):
            raise ConfigError(f"{where}: a header can hold only ASCII characters on one line")
        if any(found in NAMES for found in re.findall(r"\{(\w+)[}:]", value)):
            raise ConfigError(
                f"{where}: headers are sent as they are; "
                "a template name can stand in fields and url"
            )


def _instead(name: str, value: str, where: str) -> str:
    """What to give instead of a header that carries credentials; shows no part of them."""
    lowered = name.lower()
    if lowered == "proxy-authorization":
        return (
            "a proxy's user and password stand in the environment variable https_proxy "
            "(or http_proxy)"
        )
    is_basic = value.lower().startswith("basic ")
    sent = name[len("set-") :] if lowered.startswith("set-cookie") else name
    auth = "bearer" if lowered == "authorization" and not is_basic else f"header:{sent}"
    if is_option(where):
        return f"type --auth {auth} --token-file FILE"
    return f'write auth = "{auth}" and token_file = "FILE"'


def check_url(url: str, where: str) -> None:
    """Raise ConfigError unless ``url`` is http(s) with a host and without credentials; the message
    never quotes it."""
    check_address(url, where)
    for name, value in parse_qsl(urlsplit(url).query):
        if is_secret_name(name) and "{" not in value:
            raise ConfigError(
                f"{where}: a secret does not belong in an address, as in ?{name}=; "
                f"give {token_source(where)}",
                "auth says how it is sent: bearer, basic or header:NAME; in a form, also a field "
                "with {token}",
            )


def check_timezone(name: str, where: str) -> None:
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: a folder of the database, such as "Europe"
        guess = did_you_mean(name, available_timezones())
        raise ConfigError(
            f"{where}: unknown time zone{guess}", "An example: Europe/Berlin"
        ) from None


def is_option(where: str) -> bool:
    """Is a place an option on the command line, not a key in a file?"""
    return where.startswith("--")


def token_source(where: str) -> str:
    """The options, or the keys, that can name a token's source."""
    return (
        "--token-file or --token-env"
        if is_option(where)
        else "token_file, token_env or token_command"
    )
