"""Calls an Immich server's API: finds its address, reads its answers, and judges its errors."""

from __future__ import annotations

import functools
import json
import re
import threading
import time
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast
from urllib.parse import urljoin, urlsplit

from albumup.config.settings import CommonSettings
from albumup.errors import ConfigError
from albumup.photos.file_names import command
from albumup.targets.addresses import CONNECT_SECONDS, Who, stranger, unusable
from albumup.targets.answers import json_in, object_of, words_in
from albumup.targets.base import NotAllowed, Target, Unasked
from albumup.targets.tokens import how_to_mend, where_token_is
from albumup.transfer import Answer, Fault, Sent, retry_after
from albumup.transfer.values import FAULTY

if TYPE_CHECKING:
    from albumup.transfer.http import Http

CHECK = "/assets/bulk-upload-check"
SAYS_NOTHING = "it did not say what was asked of it"
_MOST_ANSWER = 64 << 20
"""Bytes: enough for the list of somebody's thousands of albums."""
_SUFFIX = re.compile(r"\.[!-.0-~]+")

F = TypeVar("F", bound=Callable[..., Any])


def answers_in_shape(method: F) -> F:
    """Decorate a method so that JSON of an unexpected shape raises Unasked."""

    @functools.wraps(method)
    def guarded(*given: Any, **named: Any) -> Any:
        try:
            return method(*given, **named)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Unasked(
                f"its answer is in no shape that is known ({type(error).__name__})"
            ) from error

    return cast(F, guarded)


class ImmichApi(Target):
    """An account, by its API key, and the server's API."""

    def __init__(self, name: str, settings: CommonSettings, token: str | None, where: str) -> None:
        super().__init__(name, settings, token, where)
        self.site = _site_of(settings.url)
        """The server's address for people."""
        self._headers = [*self.authorization(), ("Accept", "application/json")]
        self._finding = threading.Lock()
        self._apis: dict[str, str] = {}
        """The API's address of each site, once it is known."""

    def authorization(self) -> list[tuple[str, str]]:
        """An API key goes in a header of its own (auth.guard.ts), unless the config says
        otherwise."""
        if self.settings.auth is None and self.token:
            return [("x-api-key", self.token)]
        return super().authorization()

    def api(self, http: Http | None = None) -> str:
        """The API's address: below the site, unless /.well-known/immich names another.

        Raises Unasked, ConfigError.
        """
        if not self.is_placed:
            self.place_itself(http or self.http())
        with self._finding:
            site = self.site
            if site not in self._apis:
                self._apis[site] = self._find_api(http or self.http(), site)
            return self._apis[site]

    @property
    def known_api(self) -> str:
        """The API's address, as far as is known without asking."""
        return self._apis.get(self.site) or self.site + "/api"

    def move_to(self, address: str) -> None:
        super().move_to(address)
        self.site = _site_of(address)

    def who_is_at(self, http: Http, address: str) -> Who:
        """An Immich server is known by the oldest entry of its version history, which it writes
        when it is set up (version.service.ts) and tells everybody (server.controller.ts)."""
        call = partial(http.call, shows_token=False, connects_within=CONNECT_SECONDS)
        site = _site_of(address)
        try:
            api = self._find_api(http, site, call)
        except Unasked as unasked:
            wrong = unasked.is_wrong_address
            return Who(str(unasked), is_reached=unasked.has_answered, is_wrong=wrong)
        except ConfigError as error:
            return Who(str(error), is_wrong=True)
        ping = call("GET", f"{api}/server/ping")
        if (why := unusable(ping)) is not None:
            return why
        assert ping.answer is not None
        if object_of(ping.answer).get("res") != "pong":
            return stranger(ping.answer, "Immich server")
        told = call("GET", f"{api}/server/version-history", most=_MOST_ANSWER)
        if (why := unusable(told)) is not None:
            return why
        return Who(server=_first_entry(told.answer))

    def _find_api(self, http: Http, site: str, call: Callable[..., Sent] | None = None) -> str:
        """Find the API of a site. ``call``: how to ask, else as usual, with the key."""
        call = call or http.call
        usual = site + "/api"
        sent = call("GET", site + "/.well-known/immich")
        if sent.answer is None:
            raise unanswered(sent)
        api = object_of(sent.answer).get("api")
        endpoint = str(api.get("endpoint") or "") if isinstance(api, dict) else ""
        told = urljoin(site + "/", endpoint).rstrip("/") if endpoint else usual
        if told == usual or _answers(call, usual):
            return usual  # a server does not know the path that a proxy adds
        if _origin(told) != _origin(site):
            raise ConfigError(
                f"{site} says that its API is at {told}, and the key is sent to no other "
                "server unasked",
                f'if that is right, write {self.key("url")} = "{told.removesuffix("/api")}"',
            )
        return told if _answers(call, told) else usual

    def call(
        self, http: Http, method: str, path: str, body: Any = None, *, missing: Collection[int] = ()
    ) -> Any:
        """Call the API. The answer's JSON; None for a status in ``missing``. Raises Unasked,
        ConfigError."""
        sent = http.call(method, self.api(http) + path, json=body, most=_MOST_ANSWER)
        answer = sent.answer
        if answer is None:
            raise unanswered(sent)
        is_down = _is_wrong_address(answer) and self.is_in_maintenance(http)
        if answer.status in missing and not answer.is_page and not is_down:
            return None
        if answer.is_page or not 200 <= answer.status < 300:
            self.refuse(http, answer, reads=method == "GET" or path == CHECK)
        try:
            if not answer.complete or answer.text is None:
                raise ValueError
            return json.loads(answer.text or "null")
        except (ValueError, RecursionError):
            words = f"{answer.status} {answer.reason}"
            raise Unasked(
                f"{words}, with no answer that can be read", is_wrong_address=True
            ) from None

    def refuse(self, http: Http, answer: Answer, *, reads: bool = True) -> NoReturn:
        """Raise the error that fits an answer other than the expected one. ``reads``: the request
        changes nothing."""
        message = self.said(answer)
        words = f"{answer.status} {answer.reason}" + (f": {message}" if message else "")
        if _is_wrong_address(answer) and self.is_in_maintenance(http):
            raise Unasked(f"{self.site} is in maintenance mode")
        if answer.status == 401:
            raise ConfigError(
                f"{self.name}: {self.site} does not take the key: {words}",
                f"make a new API key ({self.site}/user-settings); "
                f"{how_to_mend(self, answer.status)}",
            )
        if answer.status == 403 and not answer.is_page:
            kind = NotAllowed if reads else ConfigError
            raise kind(
                f"{self.name}: {self.site} refuses this key: {words}",
                f"grant it that permission ({self.site}/user-settings; {where_token_is(self)}),"
                " then: albumup resume; all that is wanted: "
                f"{command('target check', [self.name])}",
            )
        if answer.status == 403 and reads:
            raise NotAllowed(
                f"{self.name}: what stands before {self.site} refuses a question: "
                f"{words} with an HTML page",
                f"have it let through what goes to {self.api(http)}; "
                f"see: {command('target check', [self.name])}",
            )
        if answer.is_page:
            raise Unasked(
                f"{words} with an HTML page, where an answer should be",
                is_wrong_address=answer.status not in FAULTY,
            )
        raise Unasked(
            words, retry_after(answer, time.time()), is_wrong_address=_is_wrong_address(answer)
        )

    def is_in_maintenance(self, http: Http) -> bool:
        """Is the server in maintenance mode, in which almost all else is a 404 or leads to a page
        (2.x and 3.x)?

        (maintenance-worker.controller.ts)
        """
        sent = http.call("GET", f"{self.api(http)}/server/config")
        return sent.answer is not None and object_of(sent.answer).get("maintenanceMode") is True

    def said(self, answer: Answer) -> str:
        """The server's message, masked: a text, a list of them, or since 3.0 errors by field."""
        said = object_of(answer)
        message = said.get("message") or []
        parts = [str(one) for one in (message if isinstance(message, list) else [message])]
        errors = said.get("errors")
        for error in errors if isinstance(errors, list) else []:
            if isinstance(error, dict):
                where = error.get("path")
                place = ".".join(map(str, where)) if isinstance(where, list) else str(where or "")
                parts.append(f"{place}: {error.get('message')}")
        return words_in(self.masked("; ".join(parts)))


def _site_of(address: str) -> str:
    return address.rstrip("/").removesuffix("/api")


def _answers(call: Callable[..., Sent], api: str) -> bool:
    sent = call("GET", f"{api}/server/ping")
    return sent.answer is not None and object_of(sent.answer).get("res") == "pong"


def _first_entry(answer: Answer | None) -> str:
    """The id of the oldest entry of a version history; "" if the answer holds none."""
    said = json_in(answer) if answer is not None and answer.status == 200 else None
    entries = [
        (str(one.get("createdAt")), str(one["id"]))
        for one in (said if isinstance(said, list) else [])
        if isinstance(one, dict) and one.get("id")
    ]
    return min(entries, default=("", ""))[1]


def suffixes_in(said: object) -> frozenset[str]:
    """The suffixes in an answer of media-types; none if the answer has another shape."""
    images, videos = (
        (said.get("image"), said.get("video")) if isinstance(said, dict) else (None, None)
    )
    if not (isinstance(images, list) and isinstance(videos, list)):
        return frozenset()
    names = [name for name in images + videos if isinstance(name, str)]
    return frozenset(name.lower() for name in names if _SUFFIX.fullmatch(name))


def unanswered(sent: Sent) -> Unasked:
    """The error for a request without an answer."""
    is_wrong_address = sent.fault in (Fault.UNKNOWN_HOST, Fault.BAD_CERTIFICATE)
    return Unasked(
        sent.detail or str(sent.fault), is_wrong_address=is_wrong_address, has_answered=False
    )


def _is_wrong_address(answer: Answer) -> bool:
    """Is this the answer of a wrong address?"""
    return 300 <= answer.status < 400 or answer.status in (404, 405, 410)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
