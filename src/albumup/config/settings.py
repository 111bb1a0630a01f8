"""The keys of a target's table in the config: one frozen Struct per kind, and checks of the values.

Annotations check types and ranges. ``validate``, which every kind's Struct may extend, checks the
rest: addresses, regular expressions, templates, secrets in the wrong place. Importing this module
costs 30 ms for msgspec; ``albumup.config.file`` imports it only when a target's settings are used.
"""

from __future__ import annotations

import functools
import re
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from albumup.config.checks import (
    CONTROL,
    HEADER_NAME,
    Place,
    check_headers,
    check_no_secret,
    check_timezone,
    check_url,
    is_option,
    is_secret_name,
    token_source,
)
from albumup.config.patterns import check_jmespath, check_pattern, has_one_group, is_jmespath
from albumup.config.template import NAMES, Template, check_address, did_you_mean
from albumup.errors import ConfigError

fields_of = functools.cache(msgspec.structs.fields)
"""The fields of a Struct, cached: evaluating the annotations takes a millisecond."""

Text = Annotated[str, Meta(min_length=1)]
Status = Annotated[int, Meta(ge=200, le=599)]
Names = frozenset[str]

TOKEN_KEYS = ("token_file", "token_env", "token_command", "token")
"""The keys for the token's source; at most one of them may be given."""

NO_KEYS: Names = frozenset({"also"})
"""Fields of settings that are no keys of the config."""

PHOTO_NAMES: Names = frozenset(NAMES) - {"token"}
"""The template names outside ``fields``."""

_PROOF_NAMES: Names = frozenset({"album", "name", "path", "size", "mime", "sha256", "sha1", "md5"})


class CommonSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of every kind of target. A kind's own Struct is a subclass, also frozen and
    kw_only."""

    has_query: ClassVar[bool] = True
    """``url`` may have a query: it is sent as it is, and nothing is appended."""
    knows_server: ClassVar[bool] = False
    """``url`` may be a list: this kind can tell whether its addresses lead to one server."""
    url: str
    also: tuple[str, ...] = ()
    """Further addresses of the same server. In the config ``url`` is then a list of all."""
    auth: str | None = None
    """bearer, basic, header:NAME or none; None: bearer if there is a token."""
    user: Text | None = None
    token: Text | None = None
    token_file: Text | None = None
    token_env: Text | None = None
    token_command: Annotated[tuple[str, ...], Meta(min_length=1)] | None = None
    ca_file: Text | None = None
    """Certificates to trust instead of the system's; relative to the config's folder."""
    resend: Literal["safe", "allowed", "never"] = "allowed"
    timeout: Annotated[float, Meta(gt=0, le=86400)] = 60.0
    """Seconds of silence."""
    settle: Annotated[float, Meta(ge=0, le=86400)] = 30.0
    """Seconds between the end of a body in doubt and the question about it."""
    elsewhere: bool = False
    """The address is this computer's, but leads to another one: a tunnel or a forwarded port."""
    timezone: Text | None = None
    taken_fallback: Literal["mtime"] | None = None
    vars: dict[str, str] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        """No values: one of them may be the token, and tracebacks show a repr."""
        return f"<{type(self).__name__}>"

    @property
    def has_token(self) -> bool:
        """Do the settings name a source of a token?"""
        return any(getattr(self, key) is not None for key in TOKEN_KEYS)

    def validate(self, place: Place) -> None:
        """Raise ConfigError for the first bad value that its type allows; a kind's own Struct
        extends this."""
        for url in (self.url, *self.also):
            check_url(url, place("url"))
            if not self.has_query and ("?" in url or "#" in url):
                raise ConfigError(
                    f"{place('url')}: the address of the site alone, without ? and #",
                    "The token comes from token_file, token_env or token_command",
                )
        given = [key for key in TOKEN_KEYS if getattr(self, key) is not None]
        if len(given) > 1:
            first = place(given[0]) if is_option(place(given[0])) else given[0]
            raise ConfigError(
                f"{place(given[1])}: there is {first} already; only one of them can be given"
            )
        self._check_auth(place)
        if self.token_env is not None and not re.fullmatch(
            r"[A-Za-z_][A-Za-z0-9_]*", self.token_env
        ):
            # The message does not quote the value: somebody may have written the token itself here.
            raise ConfigError(f"{place('token_env')}: not the name of an environment variable")
        if self.timezone is not None:
            check_timezone(self.timezone, place("timezone"))
        for name in self.vars:
            if not name.isidentifier() or name in NAMES:
                raise ConfigError(
                    f"{place('vars', name)}: choose another name, "
                    "a word that is no template name yet"
                )
            if is_secret_name(name):
                raise ConfigError(
                    f"{place('vars', name)}: a secret does not belong here; write {{token}} in "
                    "the field that needs it",
                    "The secret itself comes from token_file, token_env or token_command",
                )

    def _check_auth(self, place: Place) -> None:
        auth = self.auth
        if auth is None or auth == "none":
            return
        if auth not in ("bearer", "basic") and not (
            auth.startswith("header:") and HEADER_NAME.fullmatch(auth[7:])
        ):
            # The message does not quote the value: somebody may have written the token itself here.
            guess = did_you_mean(auth, ("bearer", "basic", "none"))
            raise ConfigError(
                f"{place('auth')}: expected bearer, basic, none or header:NAME{guess}"
            )
        if not self.has_token:
            raise ConfigError(
                f"{place('auth')}: there is no token to send; give {token_source(place('auth'))}"
            )
        if auth == "basic" and (self.user is None or ":" in self.user):
            raise ConfigError(
                f'{place("auth")}: basic needs a user name without a colon, user = "anna" in the '
                "config file"
            )


class InboxSettings(CommonSettings, frozen=True, kw_only=True):
    """``kind = "inbox"``: albumup's own receiver on another machine."""

    has_query = False
    knows_server = True


class ImmichSettings(CommonSettings, frozen=True, kw_only=True):
    """``kind = "immich"``: an Immich server; the token is an API key."""

    has_query = False
    knows_server = True
    resend: Literal["safe", "allowed", "never"] = "safe"


class FormSettings(CommonSettings, frozen=True, kw_only=True):
    """``kind = "form"``: any server that takes multipart/form-data."""

    method: Literal["POST", "PUT"] = "POST"
    """PUT is only allowed here to be refused with an explanation."""
    file_field: Text = "file"
    filename: Text = "{name}"
    success: tuple[Status, ...] = ()
    """Statuses; empty: any 2xx that is not an HTML page."""
    success_text: str | None = None
    failure_text: str | None = None
    refused_text: str | None = None
    duplicate_text: str | None = None
    message: Text | None = None
    """JMESPath, or a regular expression with one group."""
    proof: Text | None = None
    """JMESPath == template."""
    success_location: str | None = None
    duplicate: tuple[Status, ...] = ()
    id: Text | None = None
    page: Text | None = None
    share: Text | None = None
    check: Text | None = None
    fields: dict[str, str] = msgspec.field(default_factory=dict)
    """Templates, in wire order."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Sent as they are."""

    @property
    def names(self) -> Names:
        """The template names for ``url``, ``filename`` and ``page``."""
        return PHOTO_NAMES | self.vars.keys()

    @property
    def field_names(self) -> Names:
        """The template names for ``fields``."""
        return self.names | {"token"}

    @property
    def album_names(self) -> Names:
        """The template names for ``share``, which does not concern a single photo."""
        return frozenset({"album"}) | self.vars.keys()

    @property
    def proof_names(self) -> Names:
        """The template names for ``proof``: values that a server can know of a photo."""
        return _PROOF_NAMES | self.vars.keys()

    @property
    def proof_parts(self) -> tuple[str, str]:
        """The JMESPath and the template of ``proof``, the latter without quotes around it."""
        expression, _, wanted = (self.proof or "").rpartition("==")
        wanted = wanted.strip()
        if len(wanted) > 1 and wanted[0] == wanted[-1] and wanted[0] in "'\"`":
            wanted = wanted[1:-1]
        return expression.strip(), wanted

    @property
    def page_is_template(self) -> bool:
        """Is ``page`` the template of an address? Otherwise, it is JMESPath."""
        return self.page is not None and self.page.startswith(("http://", "https://"))

    def validate(self, place: Place) -> None:
        super().validate(place)
        Template(self.url, self.names, place("url"))
        Template(self.filename, self.names, place("filename"))
        if self.method == "PUT":
            raise ConfigError(
                f"{place('method')}: a form is sent by POST; "
                "what takes PUT (WebDAV) stores the body as it is, "
                "and the form around the photo with it",
                'Write method = "POST", or leave it out; there is no kind yet for servers that '
                "take the bare file",
            )
        if any(300 <= status < 400 for status in self.success):
            raise ConfigError(
                f"{place('success')}: a redirect is judged by where it leads",
                'Write: success_location = "/gallery/"',
            )
        for key in (
            "success_text",
            "failure_text",
            "refused_text",
            "duplicate_text",
            "success_location",
        ):
            if (pattern := getattr(self, key)) is not None:
                check_pattern(pattern, place(key))
        if self.message is not None and not (
            is_jmespath(self.message) or has_one_group(self.message)
        ):
            raise ConfigError(
                f"{place('message')}: neither JMESPath nor a regular expression with one group",
                "An example: error.message, or: Fehler: (.*)",
            )
        if self.proof is not None:
            self._check_proof(place("proof"))
        if self.id is not None:
            check_jmespath(self.id, place("id"))
        if self.page is not None and self.page_is_template:
            Template(self.page, self.names, place("page"))
        elif self.page is not None:
            check_jmespath(self.page, place("page"))
        if self.share is not None:
            check_address(self.share, place("share"))
            Template(self.share, self.album_names, place("share"))
        if self.check is not None:
            check_url(self.check, place("check"))
            Template(self.check, self.vars, place("check"))
        if CONTROL.search(self.file_field):
            raise ConfigError(
                f"{place('file_field')}: a field's name cannot hold control characters"
            )
        self._check_fields(place)
        check_headers(self.headers, place)

    def _check_proof(self, where: str) -> None:
        expression, wanted = self.proof_parts
        if not expression or not wanted:
            raise ConfigError(
                f"{where}: expected JMESPath == template", "An example: files[0].size == {size}"
            )
        check_jmespath(expression, where)
        Template(wanted, self.proof_names, where)

    def _check_fields(self, place: Place) -> None:
        for name, value in self.fields.items():
            where = place("fields", name)
            if not name or CONTROL.search(name):
                raise ConfigError(
                    f"{where}: a field's name cannot be empty or hold control characters"
                )
            check_no_secret(name, value, where)
            if "token" in Template(value, self.field_names, where).names and not self.has_token:
                raise ConfigError(
                    f"{where}: there is no token to put in; give {token_source(where)}"
                )


def warnings(settings: CommonSettings) -> list[str]:
    """Warnings about allowed settings: at present, plain http to a host outside private
    networks."""
    what = "the photos and the token" if settings.has_token else "the photos"
    hosts = [
        parts.hostname or ""
        for parts in map(urlsplit, (settings.url, *settings.also))
        if parts.scheme == "http" and not _is_private(parts.hostname or "")
    ]
    return [
        f"http://{host} is not encrypted: {what} can be read on the way; "
        "use https:// if the server has it"
        for host in hosts
    ]


def _is_private(host: str) -> bool:
    """Does a host name or IP address belong to this computer or to a private network?"""
    import ipaddress

    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.rstrip(".")
        return "." not in name or name.endswith(
            (".localhost", ".local", ".lan", ".internal", ".home.arpa")
        )
    return address.is_private or address.is_loopback or address.is_link_local


def choices_of(wanted: Any) -> tuple[str, ...]:
    """The values of a Literal, or of an optional one; empty for any other type."""
    if get_origin(wanted) is Literal:
        return get_args(wanted)
    if get_origin(wanted) in (Union, UnionType):
        return sum(map(choices_of, get_args(wanted)), ())
    return ()


def worded(problem: str) -> str:
    """msgspec's ``Expected `int | null`, got `str` ``, with the types in plain words."""
    words = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}
    words |= {"array": "a list", "object": "a table"}

    def spoken(found: re.Match[str]) -> str:
        return " or ".join(
            words.get(name, name) for name in found[1].split(" | ") if name != "null"
        )

    return re.sub(r"`([^`]+)`", spoken, problem[:1].lower() + problem[1:])
