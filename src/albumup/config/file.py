"""Reads the config file into typed values. Errors name the file, the key and the nearest valid one.

Loading checks the file as a whole. A target's own table is checked when the target is used
(``settings_of``), so a mistake in one target does not stop the others. Modules that are slow to
import are imported where they are used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

from albumup.config.template import Timetable as Timetable
from albumup.config.template import did_you_mean
from albumup.config.template import parse_duration as parse_duration
from albumup.config.template import parse_rate as parse_rate
from albumup.config.template import parse_size as parse_size
from albumup.config.unattended import KEYS, Unattended, duration, is_secret, of_target, secret_keys
from albumup.errors import ConfigError
from albumup.photos.file_names import quoted
from albumup.processes import withhold

if TYPE_CHECKING:
    from albumup.config.settings import CommonSettings

T = TypeVar("T", bound="CommonSettings")

OPTIONS = "push --url"  # the ``where`` of a target that options define, not a file


@dataclass(frozen=True)
class Defaults:
    """``[defaults]``: the default values of the options of the same names."""

    retries: int = 3
    jobs: int = 4
    patience: float = 300.0  # seconds
    rounds: int = 5
    spool: bool = False
    spool_dir: str | None = None  # absolute
    limit_rate: Timetable | None = None
    unattended: Unattended = field(default_factory=Unattended)


@dataclass(frozen=True)
class TargetTable:
    """A target's table with untyped settings; ``settings_of`` makes them typed.

    ``where`` begins each message about the target: file and table, or OPTIONS.
    """

    name: str
    kind: str
    settings: Mapping[str, object] = field(repr=False)  # the token may be among them
    where: str
    unattended: Mapping[str, object] = field(default_factory=dict, repr=False)
    """Its own keys of ``Unattended``, not yet checked; they may hold secrets, too."""

    def place(self, *keys: str) -> str:
        """``place_of`` for a key of this table."""
        return place_of(self.where, *keys)

    def to_json(self) -> str:
        """JSON (ASCII) for the journal. Raises ValueError for a table with a token, which the
        journal must not hold."""
        import json

        if "token" in self.settings:
            raise ValueError("a target with its token inside cannot be kept in the journal")
        return json.dumps(
            {"name": self.name, "kind": self.kind, "settings": self.settings, "where": self.where}
        )

    @classmethod
    def from_json(cls, text: str) -> TargetTable:
        """The inverse of ``to_json``."""
        import json

        return cls(**json.loads(text))


@dataclass(frozen=True)
class Config:
    """The config file; ``path`` is absolute and need not exist when it is the default one."""

    path: str
    default_target: str | None = None
    defaults: Defaults = Defaults()
    targets: Mapping[str, TargetTable] = field(default_factory=dict)
    written: frozenset[str] = frozenset()
    """The keys of ``[defaults]`` that stand in the file."""

    def unattended(self, target: str) -> Unattended:
        """The settings of a target's runs that nobody watches. Raises ConfigError for a bad one."""
        found, table = self.defaults.unattended, self.targets.get(target)
        if table is not None:
            try:
                found = of_target(found, table.unattended)
            except ValueError as error:
                raise ConfigError(f"{table.where}.{error}") from None
        commands = self._command(found.on_done), self._command(found.may_run)
        return replace(found, on_done=commands[0], may_run=commands[1])

    def _command(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """A command whose program is found from any working directory: on PATH, or by its path."""
        if not words or "/" not in words[0]:
            return words
        return (absolute(words[0], self.folder), *words[1:])

    @property
    def folder(self) -> str:
        """The folder that relative paths in the file start from."""
        return os.path.dirname(self.path)


def load(path: str | None, *, may_be_missing: bool = False) -> Config:
    """Read the config file. ``path`` None: the default one, which may be missing; others only if
    ``may_be_missing``.

    Raises ConfigError if the file is unreadable, is not TOML, has unknown or wrong keys outside the
    targets' settings, or holds a secret and can be read by others.
    """
    import tomllib

    file = default_path() if path is None else os.path.abspath(os.path.expanduser(path))
    where = shown(file)
    try:
        with open(file, "rb") as source:
            mode, data = os.fstat(source.fileno()).st_mode, source.read()
    except FileNotFoundError:
        if path is None or may_be_missing:
            return Config(file)
        raise ConfigError(
            f"{where}: no such file", "albumup target add NAME URL makes it"
        ) from None
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read: {error.strerror}") from None
    try:
        table = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{where}: line {line}: not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not TOML: {error}") from None
    _check_keys(table, ("default_target", "defaults", "targets"), where + ": ")
    targets = {
        name: _target(name, value, where) for name, value in _table(table, "targets", where).items()
    }
    named = [one.settings.get("token_env") for one in targets.values()]
    withhold(name for name in named if isinstance(name, str))
    if mode & 0o077 and (places := _secrets(_table(table, "defaults", where), targets, where)):
        words = f"{places[0]}: others can read the file that holds it"
        raise ConfigError(words, closed_again(file))
    default = table.get("default_target")
    # The built-in inbox is a target without a table.
    if default is not None and default not in (*targets, "inbox"):
        known = {*targets, "inbox"}
        guess = did_you_mean(str(default), known)
        raise ConfigError(
            f"{where}: default_target: there is no target {default!a}{guess}", _listing(known)
        )
    defaults = _table(table, "defaults", where)
    return Config(
        file,
        default,
        _defaults(defaults, where, os.path.dirname(file)),
        targets,
        frozenset(defaults),
    )


def _secrets(
    defaults: Mapping[str, object], targets: Mapping[str, TargetTable], where: str
) -> list[str]:
    """The places of the file's secrets."""
    found = [
        one.place(key)
        for one in targets.values()
        for key, value in one.settings.items()
        if key == "token" or (key in ("url", "check") and is_secret(value))
    ]
    found += [f"{where}: defaults.{key}" for key in secret_keys(defaults)]
    return found + [
        one.place(key) for one in targets.values() for key in secret_keys(one.unattended)
    ]


def default_path() -> str:
    """The default path of the config file: ``~/.config/albumup/config.toml`` on Linux."""
    from platformdirs import user_config_dir

    return os.path.join(user_config_dir("albumup", appauthor=False), "config.toml")


def shown(path: str) -> str:
    """A path with ``~`` for the home folder."""
    home = os.path.expanduser("~")
    return "~" + path[len(home) :] if path.startswith(home + "/") else path


def absolute(path: str, folder: str) -> str:
    """The absolute path for one in the config: ``~`` is expanded, relative paths start from the
    config's ``folder``."""
    return os.path.abspath(os.path.join(folder, os.path.expanduser(path)))


def _target(name: str, value: object, where: str) -> TargetTable:
    place = _dotted(f"{where}: targets", name)
    if not isinstance(value, dict):
        raise ConfigError(f"{place}: expected a table, [targets.NAME]")
    kind = value.get("kind")
    if not isinstance(kind, str) or not kind:
        raise ConfigError(
            f'{place}.kind: {"expected text" if "kind" in value else "missing"}, such as "form"'
        )
    settings = {key: value[key] for key in value if key != "kind" and key not in KEYS}
    unattended = {key: value[key] for key in value if key in KEYS}
    return TargetTable(name, kind, settings, place, unattended)


def _defaults(table: Mapping[str, object], where: str, folder: str) -> Defaults:
    _check_keys(table, _DEFAULTS, f"{where}: defaults.")
    values: dict[str, Any] = {}
    for key, value in table.items():
        try:
            values[key] = _DEFAULTS[key](value)
        except ValueError as error:
            raise ConfigError(f"{where}: defaults.{key}: {error}") from None
    if "spool_dir" in values:
        values["spool_dir"] = absolute(values["spool_dir"], folder)
    unattended = Unattended(**{key: values.pop(key) for key in KEYS if key in values})
    return Defaults(**values, unattended=unattended)


def _whole(least: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if type(value) is not int or value < least:  # bool is an int to isinstance
            raise ValueError(f"expected a whole number, {least} or more")
        return value

    return read


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("expected text")
    return value


_DEFAULTS: Mapping[str, Callable[[object], object]] = {
    "retries": _whole(0),
    "jobs": _whole(1),
    "patience": duration,
    "rounds": _whole(0),
    "spool": _flag,
    "spool_dir": _text,
    "limit_rate": lambda value: parse_rate(_text(value)),
    **KEYS,
}


def _table(table: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: {key}: expected a table, [{key}]")
    return value


def _check_keys(given: Iterable[str], known: Iterable[str], prefix: str) -> None:
    """Raise ConfigError for the first unknown key, with the nearest known one."""
    for key in given:
        if key not in known:
            raise ConfigError(
                f"{prefix}{_dotted(key)}: unknown key{did_you_mean(key, known)}", _listing(known)
            )


def _listing(known: Iterable[str]) -> str:
    return f"There are: {', '.join(sorted(known)) or 'none'}"


def place_of(where: str, *keys: str) -> str:
    """The full name of a key below ``where``: ``FILE: targets.club.fields.title``, or ``--field
    title`` for OPTIONS."""
    if where == OPTIONS:
        option = "--" + keys[0].replace("_", "-")
        single = option.removesuffix("s") if keys[0] in ("fields", "headers") else option
        return single if len(keys) == 1 else f"{single} {keys[1]}"
    return _dotted(where, *keys)


def _dotted(first: str, *keys: str) -> str:
    """Join keys as in TOML, with quotes where TOML needs them."""
    quoted = [key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key}"' for key in keys]
    return ".".join([first, *quoted])


def settings_of(table: TargetTable, kind: type[T]) -> T:
    """The table's settings as the frozen Struct of the target's kind. Raises ConfigError for the
    first bad one."""
    from albumup.config.settings import NO_KEYS, fields_of

    table = _with_addresses(table, kind)
    known = {info.name: info for info in fields_of(kind)}
    names = ({*known, *KEYS} if table.where != OPTIONS else {*known}) - NO_KEYS
    for key in table.settings:
        if key not in known:
            raise ConfigError(
                f"{table.place(key)}: unknown key{did_you_mean(key, names)}", _listing(names)
            )
    for key, info in known.items():
        if info.required and key not in table.settings:
            raise ConfigError(f"{table.place(key)}: missing")
    values = {
        key: _converted(value, known[key].type, table, key) for key, value in table.settings.items()
    }
    settings = kind(**values)
    settings.validate(table.place)
    return settings


def _with_addresses(table: TargetTable, kind: type[CommonSettings]) -> TargetTable:
    """The table with the first of several addresses as ``url``, and the others beside it.

    Raises ConfigError for a list where it cannot be one, and for an address given twice.
    """
    if "also" in table.settings:
        raise ConfigError(f"{table.place('also')}: unknown key; several addresses are a list: url")
    urls = table.settings.get("url")
    if not isinstance(urls, list):
        return table
    where = table.place("url")
    if not urls or not all(isinstance(url, str) for url in urls):
        raise ConfigError(f"{where}: expected an address, or a list of them")
    if len(urls) > 1 and not kind.knows_server:
        raise ConfigError(
            f"{where}: one address alone: this kind of server cannot tell whether another one "
            "leads to the same server",
            "A list is for kinds that can: immich, inbox",
        )
    if len({url.rstrip("/") for url in urls}) < len(urls):
        raise ConfigError(f"{where}: the same address twice")
    more = {"also": tuple(urls[1:])} if len(urls) > 1 else {}
    return replace(table, settings={**table.settings, "url": urls[0], **more})


def _converted(value: object, wanted: Any, table: TargetTable, *keys: str) -> Any:
    """Convert ``value`` to the type ``wanted``, key by key, because msgspec does not name the keys
    of a dict."""
    import msgspec

    from albumup.config.settings import choices_of, worded

    if get_origin(wanted) is dict and isinstance(value, dict):
        return {
            key: _converted(one, get_args(wanted)[1], table, *keys, key)
            for key, one in value.items()
        }
    choices = choices_of(wanted)
    if choices and isinstance(value, str) and value not in choices:
        guess = did_you_mean(value, choices)
        raise ConfigError(f"{table.place(*keys)}: {value!r} is none of {', '.join(choices)}{guess}")
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        raise ConfigError(f"{table.place(*keys)}{path.rstrip('`')}: {worded(problem)}") from None


def closed_again(path: str) -> str:
    """The command that closes a file to others."""
    return f"chmod 600 {quoted(path)}"
