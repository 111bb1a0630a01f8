"""Reads an answer to a form by the rules ``message`` and ``proof``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from albumup.config.patterns import has_one_group, is_jmespath
from albumup.config.settings import FormSettings
from albumup.config.template import Template
from albumup.targets.answers import json_in, resolved, words_in_json, words_of
from albumup.targets.base import Photo
from albumup.transfer import Answer

DIGESTS = frozenset({"sha256", "sha1", "md5"})
_UNREAD = object()


class Reading:
    """An answer, its JSON, and the server's message, which the rule ``message`` finds."""

    def __init__(self, answer: Answer, message: str | None) -> None:
        self.answer = answer
        self._message = message
        self._said: Any = _UNREAD

    @property
    def said(self) -> Any:
        if self._said is _UNREAD:  # not a cached_property, which takes a lock in Python 3.11
            self._said = json_in(self.answer)
        return self._said

    @cached_property
    def words(self) -> str:
        """The server's message, found by the rule ``message``, else in one of the usual shapes."""
        if self._message is not None:
            if is_jmespath(self._message) and (found := words_in_json(self._search(self._message))):
                return found
            if (
                has_one_group(self._message)
                and (match := self.answer.search(self._message))
                and match[1]
            ):
                return resolved(match[1])
        return words_of(self.answer, self.said)

    def find(self, expression: str, *, plain: bool = True) -> str:
        """The value of a JMESPath in the JSON, as text; "" if there is none. ``plain``: nor are
        true and false."""
        found = self._search(expression)
        if isinstance(found, bool):
            return "" if plain else str(found).lower()
        if found is None or isinstance(found, dict | list):
            return ""
        if isinstance(found, float) and found.is_integer():
            return str(int(found))
        return str(found)

    def _search(self, expression: str) -> Any:
        import jmespath

        try:
            return jmespath.search(expression, self.said)
        except jmespath.exceptions.JMESPathError:
            return None


class Proof:
    """The rule ``proof``: what the answer must say about the photo."""

    def __init__(self, form: FormSettings, where: str) -> None:
        self._expression, wanted = form.proof_parts
        self._template = Template(wanted, form.proof_names, where)
        self.names = self._template.names
        self._is_digest = bool(self.names) and self.names <= DIGESTS

    def fault_in(self, read: Reading, photo: Photo, own: Mapping[str, str]) -> str:
        """Why the proof does not hold, for people; "" if it does. The case of a digest does not
        matter.

        ``own``: the target's vars. ``{name}`` is the name that was sent to the server.
        """
        values = {**own, **photo.values, "name": photo.sent_as or photo.values["name"]}
        if missing := self.names - values.keys():
            return f"proof asks for {', '.join(sorted(missing))}, which was not made of this photo"
        wanted = self._template.fill(values)
        found = read.find(self._expression, plain=False)
        if found == wanted or (self._is_digest and found.lower() == wanted.lower()):
            return ""
        if not found:
            return f"no {self._expression} in the answer"
        return f"{self._expression} is {found}, not {wanted}"
