"""Completion in bash, zsh and fish: commands, options, albums, targets, states and files.

A shell runs the program at each Tab. Completion makes no file and prints no message: it only reads
the journal, and if that fails, it offers nothing. A name may hold spaces, quotes and other
characters that a shell would act upon. So albumup's scripts replace click's: they pass on the line
as it was typed, and take the answer's lines without expansion.
"""

from __future__ import annotations

import os
import shlex
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

if TYPE_CHECKING:
    import sqlite3

    from albumup.cli.app import App

_END = "\x00"
"""Marks the cursor; no command line can hold this character."""
_MOST = 500
"""The most photos that ``cancel`` offers."""

_BASH = """\
%(complete_func)s() {
    local kind value line=${COMP_LINE:0:COMP_POINT}
    COMPREPLY=()
    : "${line:=${COMP_WORDS[*]:0:COMP_CWORD+1}}"
    while IFS=$'\\t' read -r kind value; do
        case $kind in
            plain) COMPREPLY+=("$value") ;;
            file) compopt -o default ;;
            dir) compopt -o dirnames ;;
        esac
    done < <(COMP_LINE=$line COMP_WORD=${2-${COMP_WORDS[COMP_CWORD]}} \
%(complete_var)s=bash_complete "${1:-%(prog_name)s}")
} 2>/dev/null

complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null || \
complete -F %(complete_func)s %(prog_name)s
"""

_ZSH = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local kind value words_of_it line typed=$words[CURRENT]
    local -a plain described answer

    (( $+commands[$words[1]] )) || [[ -x $words[1] ]] || return 1
    (( $+PREFIX )) && typed=$QIPREFIX$IPREFIX$PREFIX
    line="${(j: :)words[1,CURRENT-1]} $typed"
    answer=("${(@f)$(COMP_LINE=$line %(complete_var)s=zsh_complete $words[1] 2>/dev/null)}")
    for kind value words_of_it in $answer; do
        case $kind in
            plain)
                if [[ $words_of_it == _ ]]; then
                    plain+=("$value")
                else
                    described+=("$value:$words_of_it")
                fi ;;
            file) [[ $PREFIX == --*=* ]] && compset -P '*='; _files ;;
            dir) [[ $PREFIX == --*=* ]] && compset -P '*='; _files -/ ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described -U
    (( $#plain )) && compadd -U -V unsorted -a plain
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH = """\
function %(complete_func)s
    set -l line (commandline -cp | string collect)
    set -l command (commandline -po)[1]
    for answer in (COMP_LINE=$line %(complete_var)s=fish_complete $command 2>/dev/null)
        set -l parts (string split -m 2 \\t -- $answer)
        switch $parts[1]
            case plain
                string join \\t -- $parts[2..]
            case file
                for path in (__fish_complete_path $parts[2])
                    echo -- $parts[3]$path
                end
            case dir
                for path in (__fish_complete_directories $parts[2] '')
                    echo -- $parts[3]$path
                end
        end
    end
end

complete --no-files --command %(prog_name)s --arguments '(%(complete_func)s)'
"""


def install() -> None:
    """Make click use albumup's completion; a script of click's own still gets click's answers."""
    if "COMP_LINE" not in os.environ and os.environ["_ALBUMUP_COMPLETE"].endswith("_complete"):
        return
    for shell in (_Bash, _Zsh, _Fish):
        add_completion_class(shell)


def equip(command: click.Command) -> click.Command:
    """Set what Tab offers for the parameters of a command; return the command."""
    for name in getattr(command, "commands", {}):
        equip(command.commands[name])  # type: ignore[attr-defined]
    for parameter in command.params:
        found = _OFFERS.get((command.name, parameter.name)) or _OFFERS.get((None, parameter.name))
        if found is not None:
            parameter.type = _Offered(parameter.type, found)
    return command


class _Offered(click.ParamType[object]):
    """A parameter's type, together with the words that Tab offers for it."""

    def __init__(
        self, inner: click.ParamType[object], offer: Callable[[click.Context], Iterable[str]] | str
    ) -> None:
        self.name = inner.name
        self._inner, self._offer = inner, offer

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        return self._inner.convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        if isinstance(self._offer, str):
            return [CompletionItem(incomplete, type=self._offer)]
        given = ctx.params.get(param.name or "") or ()
        taken = given if isinstance(given, tuple) else ()
        offered = [name for name in dict.fromkeys(self._offer(ctx)) if name.startswith(incomplete)]
        if isinstance(param, click.Argument):  # a word with a dash would become an option there
            offered = [name for name in offered if not name.startswith("-") and name not in taken]
        return [CompletionItem(name) for name in offered]


def _asked(ctx: click.Context, question: Callable[[sqlite3.Connection], list[str]]) -> list[str]:
    """The journal's answer to a question; an empty list if no journal can be read."""
    app: App = ctx.ensure_object(_app())
    with suppress(Exception):
        connection = app.reader()
        if connection is not None:
            with closing(connection):
                return question(connection)
    return []


def _app() -> type[App]:
    from albumup.cli.app import App

    return App


def _albums(ctx: click.Context) -> list[str]:
    from albumup.journal.reading import album_names

    return _asked(ctx, album_names)


def _targets(ctx: click.Context) -> list[str]:
    from albumup.journal.reading import target_names

    configured: list[str] = []
    with suppress(Exception):
        app: App = ctx.ensure_object(_app())
        configured = list(app.config.targets)
    return [*configured, *_asked(ctx, target_names), "inbox"]


def _unsent(ctx: click.Context) -> list[str]:
    """The names of an album's photos that can still be given up, told apart by their folders."""
    from albumup.cli.names import telling
    from albumup.journal.reading import unsent_paths

    album = ctx.params.get("album") or ""
    of_name: dict[str, list[bytes]] = {}
    for path in _asked(ctx, lambda connection: unsent_paths(connection, album, _MOST)):
        of_name.setdefault(os.path.basename(path), []).append(path.encode())
    return [telling(path, twins).decode() for twins in of_name.values() for path in twins]


def _commands(_: click.Context) -> list[str]:
    from albumup.cli.commands import COMMANDS

    return list(COMMANDS)


def _kinds(_: click.Context) -> list[str]:
    from albumup.targets.registry import kinds

    return kinds()


def _schedulers(_: click.Context) -> list[str]:
    from albumup.session.scheduling import KINDS

    return list(KINDS)


def _scheduled(ctx: click.Context) -> list[str]:
    from albumup.session.scheduling import COMMANDS

    return list(COMMANDS) if not ctx.params.get("words") else []


def _auths(_: click.Context) -> list[str]:
    return ["bearer", "none", "header:"]


_OFFERS: dict[tuple[str | None, str | None], Callable[[click.Context], Iterable[str]] | str] = {
    (None, "album"): _albums,
    (None, "albums"): _albums,
    (None, "target"): _targets,
    ("show", "name"): _targets,
    ("check", "name"): _targets,
    ("try", "name"): _targets,
    ("cancel", "files"): _unsent,
    ("help", "words"): _commands,
    ("schedule", "kind"): _schedulers,
    ("schedule", "words"): _scheduled,
    (None, "kind"): _kinds,
    (None, "auth"): _auths,
    **{
        (None, name): "file"
        for name in ("journal", "config", "files_from", "token_file", "ca_file")
    },
    **{(None, name): "dir" for name in ("spool_dir", "keep", "folder")},
}
"""What to offer by command (None: any) and parameter.

It is a function that returns words, or click's name for files or folders.
"""


class _Ours(ShellComplete):
    """The common part of the three shells."""

    incomplete = ""
    """The typed part of the last word, unquoted and without ``prefix``."""
    prefix = ""
    """``--option=``, if the value follows in the same word."""
    quote = ""
    """The quote that is open at the cursor; "" if none is."""

    def get_completion_args(self) -> tuple[list[str], str]:
        words, last, self.quote = split(os.environ.get("COMP_LINE", ""))
        option, mark, value = last.partition("=")
        is_joined = bool(mark) and option.startswith("--")
        self.prefix = option + mark if is_joined else ""
        self.incomplete = value if is_joined else last
        return words[1:], last

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        with suppress(Exception):
            return [
                item for item in super().get_completions(args, incomplete) if is_fit(item.value)
            ]
        return []


def split(line: str) -> tuple[list[str], str, str]:
    """A command line up to the cursor: its whole words, the last word, and the open quote or ""."""
    lexer = shlex.shlex(line + _END, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    quote = ""
    try:
        words.extend(lexer)
    except ValueError:  # a quote is open
        words.append(lexer.token)
        quote = lexer.state or ""  # type: ignore[attr-defined]  # typeshed leaves it out
    last = words.pop() if words else ""
    return words, last.partition(_END)[0], quote


def is_fit(text: str) -> bool:
    """Whether a name fits on a line of its own; a name that does not has to be typed."""
    return not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text)


class _Bash(_Ours, BashComplete):
    source_template = _BASH

    def source(self) -> str:
        return ShellComplete.source(self)  # BashComplete.source runs bash to ask for its version

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Keep the typed part as it is; quote the rest for its place in the line."""
        missing = item.value.removeprefix(self.incomplete)
        return f"{item.type}\t{os.environ.get('COMP_WORD', '')}{quoted(missing, self.quote)}"


def quoted(text: str, quote: str) -> str:
    """``text`` as it continues a word in bash, within ``quote`` if that is not empty."""
    if not quote:
        return "".join(
            letter if letter.isalnum() or letter in "-_./,+@%=:" else "\\" + letter
            for letter in text
        )
    if quote == "'":
        inside = text.replace("'", "'\\''")
    else:
        # An exclamation mark recalls an older command also within double quotes, and a backslash
        # before it would stay there.
        escaped = "".join("\\" + letter if letter in '\\"$`' else letter for letter in text)
        inside = escaped.replace("!", '"\\!"')
    # Readline closes an open quote, but not after a quote character.
    return inside + quote if inside.endswith(quote) else inside


class _Zsh(_Ours, ZshComplete):
    source_template = _ZSH

    def format_completion(self, item: CompletionItem[str]) -> str:
        if item.type != "plain":
            return f"{item.type}\n{item.value}\n_"
        value = self.prefix + item.value
        if not item.help:
            return f"plain\n{value}\n_"
        # _describe gives both characters a meaning of its own.
        escaped = value.replace("\\", "\\\\").replace(":", "\\:")
        return f"plain\n{escaped}\n{_line(item.help)}"


class _Fish(_Ours, FishComplete):
    source_template = _FISH

    def format_completion(self, item: CompletionItem[str]) -> str:
        if item.type != "plain":
            return f"{item.type}\t{item.value}\t{self.prefix}"
        return f"plain\t{self.prefix}{item.value}" + (f"\t{_line(item.help)}" if item.help else "")


def _line(text: str) -> str:
    return " ".join(text.split())
