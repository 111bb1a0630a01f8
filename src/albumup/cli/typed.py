"""The options that were typed after a command, as they were read."""

from __future__ import annotations

from typing import TypedDict


class SendingOptions(TypedDict):
    """The options that say how to send; None: not typed."""

    retries: int | None
    jobs: int | None
    limit_rate: str | None
    patience: str | None
    as_json: bool


class ResumeOptions(SendingOptions):
    """The options of resume, with those that ``--detach`` adds for the uploader that it starts."""

    detach: bool
    in_background: int | None
    album_ids: tuple[int, ...]
    spool_dir: str | None


class AddressOptions(TypedDict):
    """The options that say where a push goes; None: not typed."""

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
    """The options of push; None: not typed."""

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
    """The options of retry-failed; None: not typed."""

    rejected: bool
    in_doubt: bool
    rounds: int | None


class ListOptions(TypedDict):
    """The options of list: the photos to list, and the format."""

    target: str | None
    states: tuple[str, ...]
    as_json: bool
    nul: bool


class ReceiveOptions(TypedDict):
    """The options of receive: where it listens, and how it behaves; None: not typed."""

    host: str
    port: int
    token_file: str | None
    faults: str | None


class AddOptions(TypedDict):
    """The options of target add; None: not typed."""

    kind: str | None
    token_file: str | None
    token_env: str | None
    ca_file: str | None
    is_default: bool
