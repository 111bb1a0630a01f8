"""Help texts: options in groups, each with a heading, and lines that fit the terminal.

The manual is made from ``grouped``, too, so that ``--help`` and the pages agree.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

import click
from click.types import OptionHelpExtra

from albumup.photos.file_names import as_typed, quoted

F = TypeVar("F", bound=Callable[..., object])

OPTIONS = "Options"
WHAT = "What to send"
WHERE = "Where to"
HOW = "How"
NO_CONFIG = "Without a config"
GENERAL = "General"
GROUPS = (OPTIONS, WHAT, WHERE, HOW, NO_CONFIG, GENERAL)
"""The headings, in the order of the help text."""

_WIDEST, _NARROWEST = 80, 30


class Option(click.Option):
    """An option that stands under one of GROUPS in the help text."""

    def __init__(self, *args: Any, group: str = OPTIONS, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group

    def get_help_extra(self, ctx: click.Context) -> OptionHelpExtra:
        """The notes after an option's help, without a number's range: "[x>=0]" helps nobody."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


class Whole(click.IntRange):
    """A whole number; the name stands in the error if something else was typed."""

    name = "whole number"


class OneOf(click.Choice[str]):
    """One of some words; the error for another word suggests a similar one."""

    def get_invalid_choice_message(self, value: str, ctx: click.Context | None) -> str:  # noqa: ARG002
        from albumup.config.template import did_you_mean

        return f"{value!a} is none of {', '.join(self.choices)}{did_you_mean(value, self.choices)}"


def option(*names: str, group: str = OPTIONS, **settings: object) -> Callable[[F], F]:
    """click's ``option``, with a heading."""
    return click.option(*names, cls=Option, group=group, **settings)


def grouped(command: click.Command, ctx: click.Context) -> list[tuple[str, list[click.Option]]]:
    """A command's visible options by heading, in the order of GROUPS; ``-h`` is under GENERAL."""
    found: dict[str, list[click.Option]] = {heading: [] for heading in GROUPS}
    for one in command.get_params(ctx):
        if isinstance(one, click.Option) and not one.hidden:
            found[one.group if isinstance(one, Option) else GENERAL].append(one)
    return [(heading, options) for heading, options in found.items() if options]


class _Formatter(click.HelpFormatter):
    """A formatter as wide as the terminal, up to 80 columns. Only help needs its imports."""

    def __init__(self, *_: object, **__: object) -> None:
        import shutil

        columns = shutil.get_terminal_size((_WIDEST, 24)).columns
        super().__init__(width=max(_NARROWEST, min(columns, _WIDEST)))

    def write_text(self, text: str) -> None:
        from albumup.cli.layout import glued

        super().write_text(glued(text))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 28, col_spacing: int = 2
    ) -> None:
        from albumup.cli.layout import glued

        told = [(name, glued(text)) for name, text in rows]
        super().write_dl(told, min(col_max, self.width // 3), col_spacing)

    def getvalue(self) -> str:
        """The text, with its examples wrapped, too; click leaves them as they are."""
        from albumup.cli.layout import GLUE, wrapped

        return wrapped(super().getvalue().replace(GLUE, " "), self.width)


class _Context(click.Context):
    formatter_class = _Formatter


class Command(click.Command):
    """A command whose help shows its options in groups."""

    context_class = _Context

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_options(self, ctx, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does; read albums' names as UTF-8, and suggest similar options."""
        try:
            rest = super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            no_such_option(self, ctx, error.option_name)
        if isinstance(album := ctx.params.get("album"), str):
            ctx.params["album"] = as_typed(album)
        if "albums" in ctx.params:
            ctx.params["albums"] = tuple(map(as_typed, ctx.params["albums"]))
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        root = ctx.find_root().command
        if isinstance(root, Group):
            root.before(ctx)
        return super().invoke(ctx)


class Group(click.Group):
    """A group of commands with the same form of help; it suggests similar commands."""

    context_class = _Context
    command_class = Command

    unsuggested: frozenset[str] = frozenset()
    """Commands that no suggestion names, because nobody should type them by mistake."""

    def before(self, ctx: click.Context) -> None:
        """Do something before any command's work; ``ctx`` is that command's context."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        _write_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = self.list_commands(ctx)
        found = [(name, self.get_command(ctx, name)) for name in names]
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(60)) for name, one in found if one])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            from albumup.config.template import nearest

            # A word that is most like an unsuggested command was not meant for another one.
            found = nearest(args[0], names)
            near = f"; did you mean {found}?" if found and found not in self.unsuggested else ""
            if not near and "push" in names and os.path.isdir(args[0]):
                near = f"; did you mean push {quoted(args[0])}?"
            ctx.fail(f"there is no command {args[0]!a}{near}")
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does; ``--help push`` means ``push --help``."""
        if (
            len(args) > 1
            and args[0] in ctx.help_option_names
            and args[1] in self.list_commands(ctx)
        ):
            args = [*args[1:], args[0]]
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            no_such_option(self, ctx, error.option_name)


def command(
    name: str | None = None, **settings: object
) -> Callable[[Callable[..., object]], Command]:
    """click's ``command``, with help in groups."""
    return click.command(name, cls=Command, **settings)


def group(name: str | None = None, **settings: object) -> Callable[[Callable[..., object]], Group]:
    """click's ``group``, with help in groups."""
    return click.group(name, cls=Group, **settings)


def no_such_option(command: click.Command, ctx: click.Context, option: str) -> NoReturn:
    """Fail with a message about an unknown option that suggests a similar one."""
    from albumup.config.template import nearest

    names = [
        name[2:]
        for one in command.get_params(ctx)
        for name in one.opts
        if name.startswith("--") and not getattr(one, "hidden", False)
    ]
    found = nearest(option.removeprefix("--"), names)
    near = f"; did you mean --{found}?" if found else ""
    ctx.fail(f"there is no option {option!a}{near}")


def _write_options(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    for heading, options in grouped(command, ctx):
        rows = [row for row in (one.get_help_record(ctx) for one in options) if row]
        with formatter.section(heading):
            formatter.write_dl(rows)


def help_of(ctx: click.Context, names: Sequence[str]) -> str:
    """The help text of the command that ``names`` lead to. Raises UsageError as click does."""
    root = ctx.find_root()
    found: click.Command = root.command
    context = root
    for number, name in enumerate(names):
        if not isinstance(found, click.Group):
            context.fail(f"{context.command_path} has no commands of its own")
        _, inner, _ = found.resolve_command(context, [name, *names[number + 1 :]])
        assert inner is not None
        found, context = inner, inner.context_class(inner, info_name=name, parent=context)
    return found.get_help(context)
