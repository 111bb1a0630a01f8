"""What was typed after a command: its options, as they were read."""

from __future__ import annotations

from typing import TypedDict


class SendingOptions(TypedDict):
    """What was typed of how to send; None: nothing."""

    retries: int | None
    jobs: int | None
    limit_rate: str | None
    patience: str | None
    as_json: bool


class ResumeOptions(SendingOptions):
    """What was typed, and what ``--detach`` types for the uploader that it starts."""

    detach: bool
    in_background: int | None
    album_ids: tuple[int, ...]
    spool_dir: str | None


class AddressOptions(TypedDict):
    """What was typed of where a push goes; None: nothing."""

    target: str | None
    url: str | None
    fields: tuple[str, ...]
    file_field: str | None
    headers: tuple[str, ...]
    auth: str | None
    token_file: str | None
    token_env: str | None
    success_text: str | None
    failure_text: str | None


class PushOptions(SendingOptions, AddressOptions):
    """What was typed; None: nothing."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    since: str | None
    files_from: str | None
    no_recursive: bool
    follow_symlinks: bool
    hidden: bool
    no_skip: bool
    edited: bool
    album: str | None
    wants_share: bool
    dry_run: bool
    spool: bool | None
    spool_dir: str | None
    detach: bool


class RetryOptions(SendingOptions):
    """What was typed; None: nothing."""

    rejected: bool
    in_doubt: bool
    rounds: int | None


class ListOptions(TypedDict):
    """Which photos are listed, and how."""

    target: str | None
    states: tuple[str, ...]
    as_json: bool
    nul: bool


class ReceiveOptions(TypedDict):
    """Where a receiver listens, and how it behaves; None: not given."""

    host: str
    port: int
    token_file: str | None
    faults: str | None


class AddOptions(TypedDict):
    """What was said of a server that is set up; None: nothing."""

    kind: str | None
    token_file: str | None
    token_env: str | None
    ca_file: str | None
    is_default: bool
