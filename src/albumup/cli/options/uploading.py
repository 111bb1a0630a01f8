"""The options of push, resume and retry-failed that say how to send."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from albumup.cli.help import HOW, F, Whole, option


def _upload(patience: str) -> Sequence[Callable[[F], F]]:
    wait = f"How long to wait for a server that is down ({patience})."
    return (
        option(
            "--retries",
            group=HOW,
            type=Whole(0),
            metavar="N",
            help="Tries after the first one (3).",
        ),
        option(
            "-j",
            "--jobs",
            group=HOW,
            type=Whole(1, 64),
            metavar="N",
            help="Uploads at once, 64 at most (4).",
        ),
        option(
            "--limit-rate",
            group=HOW,
            metavar="RATE",
            help='All together: 2M, or "08:00,1M 23:00,off".',
        ),
        option("--patience", group=HOW, metavar="TIME", help=wait),
        option(
            "--json",
            "as_json",
            group=HOW,
            is_flag=True,
            help="Events on stdout, one JSON object a line.",
        ),
    )


def detach_option() -> Callable[[F], F]:
    """The option ``--detach`` of push and resume."""
    return option(
        "--detach",
        group=HOW,
        is_flag=True,
        help="Send in the background; the terminal may be closed.",
    )


def upload_options(patience: str = "5m") -> Callable[[F], F]:
    """The options of push, resume and retry-failed that say how to send.

    ``patience``: the default that the help text names.
    """

    def added(command: F) -> F:
        for add in reversed(_upload(patience)):
            command = add(command)
        return command

    return added
