"""``albumup target add``: find out the kind of server, try it, write it into the config."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import click

from albumup.cli.app import App
from albumup.cli.checks import put_checks
from albumup.cli.escaping import escape
from albumup.cli.layout import columns_of, wrapped
from albumup.cli.typed import AddOptions
from albumup.cli.words import ended
from albumup.config.checks import check_url
from albumup.config.file import TargetTable, shown
from albumup.config.shown_address import MASK, secrets_in, shown_address
from albumup.config.token_source import read_token
from albumup.config.writing import add_target, drop_token, keep_token
from albumup.errors import ConfigError, TryLater, UsageError
from albumup.targets.masking import mask_for
from albumup.targets.registry import looked_at, recognised, settings_for, tried, wants_token
from albumup.transfer import Fault
from albumup.transfer.values import FAULTY

if TYPE_CHECKING:
    from albumup.errors import AlbumupError
    from albumup.transfer import Sent


_LOOK_AGAIN = "check host, port, and whether it is http:// or https://; is the server up?"


def run(app: App, name: str | None, url: str | None, given: AddOptions) -> int:
    """Set a server up as target NAME: see its kind, try it, and write it into the config file."""
    app.makes_config = True
    token_file, ca_file = _absolute(given["token_file"]), _absolute(given["ca_file"])
    said = {"token_file": token_file, "token_env": given["token_env"], "ca_file": ca_file}
    if name is not None and "://" in name and url is None:
        name, url = None, name
    url = _address(url)
    kind, address = _kind(url, given["kind"], given["ca_file"])
    name = _name(app, name)
    settings = {"url": address, **{key: value for key, value in said.items() if value is not None}}
    where = f"{shown(app.config.path)}: targets.{name}"
    table = TargetTable(name, kind, settings, where)
    token = read_token(settings_for(table), where, app.config.folder)
    needs_token = token is None and wants_token(table, given["ca_file"])
    typed = _token(kind, address) if needs_token else ""
    if wrong := put_checks(tried(name, table, token or typed)):
        code = 75 if all(line.is_down for line in wrong) else 4
        app.screen.complain(
            ended(f"{escape(name)} was not added: it does not work like this", code)
        )
        return code
    if typed:
        settings["token_file"] = keep_token(app.config.path, name, typed)
    try:
        add_target(app.config.path, name, kind, settings, default=given["is_default"])
    except BaseException:
        if typed:
            drop_token(app.config.path, settings["token_file"])
        raise
    app.screen.say(
        f"{escape(name)} is set up in {escape(shown(app.config.path))}. Now: "
        f"{_next(app, table, given['is_default'])}"
    )
    return 0


def _absolute(path: str | None) -> str | None:
    """The absolute path of a file, because relative paths in the config start elsewhere."""
    return shown(os.path.abspath(os.path.expanduser(path))) if path is not None else None


def _next(app: App, table: TargetTable, is_default: bool) -> str:
    needs_name = app.config.targets and not is_default
    return "albumup push ./trip" + (f" --target {table.name}" if needs_name else "")


def _address(url: str | None) -> str:
    if url is None:
        url = _asked(
            "The server's address, as in a browser", "name it: albumup target add NAME URL"
        )
    if "://" not in url:
        if url.startswith(("/", "./", "../", "~")):
            raise UsageError(
                f"{url!r} is a folder, not an address",
                "on another computer, albumup receive DIR gives a folder an address",
            )
        url = "https://" + url
    check_url(url, "URL")
    if "{" in url:
        raise UsageError(
            "URL: a template belongs into the config file", "see docs/configuration.md, kind = form"
        )
    return url


def _kind(url: str, kind: str | None, ca_file: str | None) -> tuple[str, str]:
    if kind is not None:
        sent = looked_at(url, ca_file)
        if sent.fault in ("bad certificate", "unknown host"):
            raise _why_not(url, sent)
        return kind, url
    found = recognised(url, ca_file)
    if found is None:
        raise _why_not(url, looked_at(url, ca_file))
    return found


def _why_not(url: str, sent: Sent) -> AlbumupError:
    """The error for a URL without a known kind of server. ``sent``: what a plain GET came to."""
    secrets = mask_for(others=secrets_in(url))
    url = shown_address(url)
    detail = sent.detail or str(sent.fault)
    match sent.fault:
        case Fault.BAD_CERTIFICATE:
            return _bad_certificate(url, detail)
        case Fault.UNKNOWN_HOST:
            return ConfigError(f"{url}: {detail}", "check the spelling of the host's name")
        case Fault.NOT_REACHED:
            return ConfigError(f"{url}: no server answers there: {detail}", _LOOK_AGAIN)
        case None:
            pass
        case _:
            return TryLater(
                f"{url}: something listens there, and says nothing of use: {detail}", _LOOK_AGAIN
            )
    assert sent.answer is not None
    status = f"{sent.answer.status} {sent.answer.reason}".strip()
    elsewhere = secrets.sub(MASK, sent.answer.headers.get("location", ""))
    if 300 <= sent.answer.status < 400 and elsewhere:
        return ConfigError(
            f"{url}: answered {status}: it sends on to {elsewhere}",
            "if you trust that address, name it instead",
        )
    if sent.answer.status in FAULTY:
        return TryLater(f"{url}: answered {status}", "try again when it is well")
    return ConfigError(
        f"{url}: no server answers there whose kind can be seen (immich, inbox): "
        f"it answered {status}",
        "check the address in a browser; "
        "a form that takes files can be pushed to at once: albumup push ./trip --url URL, "
        "or be described in the config file as a form (docs/configuration.md)",
    )


def _bad_certificate(url: str, detail: str) -> AlbumupError:
    detail = re.sub(r"^\[SSL: \w+\] |certificate verify failed: | \(_ssl\.c:\d+\)$", "", detail)
    words = detail.lower()
    if "wrong version" in words or "tls" in words:
        return ConfigError(
            f"{url}: it does not speak TLS as this does: {detail}", "is it http:// there?"
        )
    if "mismatch" in words or "not valid for" in words:
        hint = "name the host as its certificate does"
    elif "expired" in words or "not yet valid" in words:
        hint = "renew the server's certificate, or set the clock"
    else:
        hint = (
            "if an authority of your own issued it: "
            "--ca-file FILE, with that authority's certificate (PEM)"
        )
    return ConfigError(f"{url}: its certificate is not trusted: {detail}", hint)


def _name(app: App, name: str | None) -> str:
    if name is None:
        free = "home" if "home" not in app.config.targets else ""
        name = _asked("A name for it", "name it: albumup target add NAME URL", free)
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or name == "inbox":
        raise UsageError(
            f"{name!a} cannot be a target's name", "letters, digits, - and _, and not inbox"
        )
    if name in app.config.targets:
        raise UsageError(
            f"there is a target {name} already",
            f"see: albumup target show {name}; or choose another name",
        )
    return name


def _token(kind: str, address: str) -> str:
    hint = (
        f"make one at {address}/user-settings"
        if kind == "immich"
        else "the one it was started with"
    )
    return _asked(
        f"Its token or API key ({hint}; it is not shown)",
        "give it with --token-file FILE",
        hidden=True,
    )


def _asked(what: str, otherwise: str, default: str = "", *, hidden: bool = False) -> str:
    """The user's answer to a question. Raises UsageError without a terminal."""
    if not sys.stdin.isatty():
        raise UsageError(
            f"{what[:1].lower()}{what[1:].partition(' (')[0]}: not given, and there is no "
            "terminal to ask on",
            otherwise,
        )
    columns = columns_of(sys.stderr)
    what = wrapped(what, columns - len(": ") if columns is not None else None)
    answer: str = click.prompt(what, default=default or None, hide_input=hidden, err=True)
    return answer.strip()
