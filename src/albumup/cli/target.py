"""``albumup target``: see and try the configured servers."""

from __future__ import annotations

import os

from albumup.cli.app import App
from albumup.cli.checks import put_checks
from albumup.cli.destination import kept_targets, known_servers
from albumup.cli.escaping import escape
from albumup.cli.layout import sentence
from albumup.cli.screen import put, put_table
from albumup.cli.words import ended
from albumup.config.definition import ADDRESSES, shown_addresses
from albumup.config.file import TargetTable
from albumup.config.settings import warnings
from albumup.config.shown_address import shown_address
from albumup.config.token_source import masked
from albumup.errors import ConfigError
from albumup.targets.base import Target
from albumup.targets.inbox import look_at
from albumup.targets.registry import (
    INBOX,
    addresses_of,
    build,
    default_target,
    inbox_folder,
    settings_for,
    table_of,
)


def list_targets(app: App) -> int:
    """List the config file's targets, those of --url in the journal, and the built-in inbox."""
    kept = {name: TargetTable.from_json(text) for name, text in kept_targets(app).items()}
    try:
        default = default_target(app.config)
    except ConfigError:
        default = ""
    rows = []
    for name, one in {**kept, **app.config.targets}.items():
        where = "config" if name in app.config.targets else "--url"
        addresses = ", ".join(map(shown_address, addresses_of(one)))
        rows.append((name, one.kind, addresses, where, "default" * (name == default)))
    if INBOX not in {*kept, *app.config.targets}:
        rows.append((INBOX, INBOX, inbox_folder(), "built in", "default" * (default == INBOX)))
    put_table(
        ("NAME", "KIND", "ADDRESS", "FROM", ""), rows, cut=("NAME", "ADDRESS"), broken=("FROM",)
    )
    return 0


def show(app: App, name: str) -> int:
    """A target's settings as they are read, secrets masked."""
    table = table_of(name, app.config, kept_targets(app))
    if table is None:
        put(f'name = "inbox"\nkind = "inbox"\nfolder = "{escape(inbox_folder())}"')
        return 0
    settings = settings_for(table)
    put(f'name = "{escape(name)}"\nkind = "{table.kind}"')
    for key, value in table.settings.items():
        if isinstance(value, dict):
            for inner, text in value.items():
                put(f"{key}.{escape(inner)} = {escape(repr(text))}")
        else:
            value = shown_addresses(value) if key in ADDRESSES else value
            put(f"{key} = {masked(str(value)) if key == 'token' else escape(repr(value))}")
    for warning in warnings(settings):
        app.screen.complain(f"Warning: {escape(warning)}")
    return 0


def check(app: App, name: str | None) -> int:
    """Prove a target's URL, credentials and limits without uploading anything."""
    name = name or default_target(app.config)
    if table_of(name, app.config, kept_targets(app)) is None:
        where, found = "the built-in inbox", look_at(inbox_folder())
    else:
        one = _built(app, name)
        where, found = one.where, one.check()
        one.close()
    wrong = put_checks(found)
    if not wrong and any(line.name == "upload" for line in found):
        app.screen.say(f"Try it with a photo: albumup target try {escape(name)} PHOTO")
    if all(line.ok is None for line in found):
        app.screen.complain(ended("Nothing is proven", 3))
        return 3
    if not wrong:
        return 0
    if all(line.is_down for line in wrong):
        app.screen.complain(ended(f"{escape(name)} cannot be reached now", 75))
        return 75
    app.screen.complain(
        ended(f"{escape(name)} is not ready; its settings are in {escape(where)}", 4)
    )
    return 4


def try_(app: App, name: str, photo: str) -> int:
    """Upload one PHOTO outside any album; print request, answer, verdict, and its rule."""
    from albumup.uploader.trial import run_trial

    one = _built(app, name)
    try:
        trial = run_trial(one, os.fsencode(photo))
    finally:
        one.close()
    for line in trial.request:
        put(f"> {escape(line, 1000)}")
    for line in trial.answer:
        put(f"< {escape(line, 1000)}")
    put(f"verdict: {escape(trial.verdict, 1000)}")
    put(f"rule: {escape(trial.rule)}")
    put(f"left there: {escape(trial.left, 1000)}")
    if trial.mend:
        app.screen.complain(escape(sentence(trial.mend), 1000))
    return trial.exit_code


def _built(app: App, name: str) -> Target:
    return build(name, app.config, kept_targets(app), known_servers(app))
