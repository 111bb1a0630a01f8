"""``kind = "form"``: any server that takes multipart/form-data, described in the config file, no code."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any, ClassVar, cast

from albumup.settings import CommonSettings, FormSettings
from albumup.targets.base import Check, Form, Photo, Target, Verdict, VerdictKind, checked, words_in
from albumup.template import Template
from albumup.transfer import Answer, Request


class FormTarget(Target):
    """The config's rules, compiled once."""

    kind = "form"
    settings_type: ClassVar[type[CommonSettings]] = FormSettings
    success_keys = ("success_text", "success")

    def __init__(self, name: str, settings: CommonSettings, token: str | None, where: str) -> None:
        super().__init__(name, settings, token, where)
        self._form = form = cast(FormSettings, settings)
        self._url = Template(form.url, form.names, self.key("url"))
        self._filename = Template(form.filename, form.names, self.key("filename"))
        self._fields = [
            (field, Template(value, form.field_names, self.key("fields", field)))
            for field, value in form.fields.items()
        ]
        templates = [self._url, self._filename, *(template for _, template in self._fields)]
        self._names = frozenset(found for template in templates for found in template.names)
        self._secret = any("token" in template.names for _, template in self._fields)
        self._authorization = self.authorization()

    @property
    def digests(self) -> Collection[str]:
        return ("sha256", *sorted({"sha1", "md5"} & self._names))

    @property
    def dates(self) -> bool:
        return "taken" in self._names

    def form(self, photo: Photo, filename: str) -> Form:
        values = {**self._form.vars, **photo.values, "token": self.token or ""}
        fields = [(field, _sendable(template.fill(values))) for field, template in self._fields]
        return Form(fields, self._form.file_field, filename, photo.mime, self._secret)

    def filename(self, photo: Photo) -> str:
        return self._filename.fill({**self._form.vars, **photo.values})

    def request(self, photo: Photo) -> Request:
        url = self._url.fill_url({**self._form.vars, **photo.values})
        return Request(self._form.method, url, [*self._form.headers.items(), *self._authorization])

    def read_answer(self, answer: Answer, photo: Photo) -> Verdict:
        """The rules in the order of docs/configuration.md: failure, duplicate, then all that success asks for."""
        form, status = self._form, answer.status
        pages = form.success_text is not None or form.failure_text is not None
        if form.failure_text is not None and (found := answer.search(form.failure_text)):
            words = f"{status}: the server says {self.masked(found.group(0))!a}"
            return Verdict(VerdictKind.REJECTED, "failure_text", words, takes_pages=pages)
        if answer.text is None:
            words = f"{status} {answer.reason}: what it says cannot be read"
            return Verdict(VerdictKind.UNPROVEN, "an answer that can be read", words, takes_pages=pages)
        reads = _Json(answer)
        if status in form.duplicate:
            return Verdict(
                VerdictKind.DUPLICATE, f"duplicate = {status}", "", *self._names_of(reads, photo), takes_pages=pages
            )
        unproven = Verdict(VerdictKind.UNPROVEN, f"status {status}", takes_pages=pages)
        if 300 <= status < 400:
            location = answer.headers.get("location", "")
            if form.success_location is not None and re.search(form.success_location, location):
                remote_id, url = self._names_of(reads, photo)
                if form.id is None or remote_id:
                    return Verdict(VerdictKind.STORED, "success_location", "", remote_id, url, takes_pages=pages)
                words = f"{status}, but no {form.id} in the answer"
                return Verdict(VerdictKind.UNPROVEN, "id", words, takes_pages=pages)
            where = f" to {self.masked(location)[:200]}" if location else ""
            words = f"{status} {answer.reason}{where}"
            return Verdict(VerdictKind.UNPROVEN, f"status {status}", words, takes_pages=pages)
        if not (status in form.success if form.success else 200 <= status < 300):
            if form.success and 200 <= status < 300:
                return Verdict(
                    VerdictKind.UNPROVEN, "success", f"{status} is not among success = {list(form.success)}",
                    takes_pages=pages,
                )  # fmt: skip
            return unproven
        if form.success_text is not None:
            if not answer.search(form.success_text):
                words = f"{status}, but success_text was not found in the answer"
                return Verdict(VerdictKind.UNPROVEN, "success_text", words, takes_pages=pages)
        elif answer.is_page:
            words = f"{status} with an HTML page, where an answer should be"
            return Verdict(VerdictKind.UNPROVEN, "no HTML page", words, takes_pages=pages)
        elif not answer.complete:
            words = f"{status}, but the answer was cut or too long"
            return Verdict(VerdictKind.UNPROVEN, "a whole answer", words, takes_pages=pages)
        remote_id, url = self._names_of(reads, photo)
        if form.id is not None and not remote_id:
            return Verdict(VerdictKind.UNPROVEN, "id", f"{status}, but no {form.id} in the answer", takes_pages=pages)
        rule = "success_text" if form.success_text else "success" if form.success else "any 2xx that is no HTML page"
        return Verdict(VerdictKind.STORED, rule, "", remote_id, url, takes_pages=pages)

    def check(self) -> list[Check]:
        form = self._form
        if form.check is None:
            return [Check("address", None, f"{form.url} is not asked: {self.key('check')} names no address to ask")]
        url = Template(form.check, form.vars, self.key("check")).fill_url(form.vars)
        sent = self.http().call("GET", url)
        return [checked("check", url, sent)]

    def share(self, album: str) -> str:
        """The album's address for people, or "" where none is configured."""
        form = self._form
        if form.share is None:
            return ""
        return Template(form.share, form.album_names, self.key("share")).fill_url({**form.vars, "album": album})

    def _names_of(self, answer: _Json, photo: Photo) -> tuple[str, str]:
        """The photo's id and address in an answer, where the rules say how to find them."""
        form = self._form
        remote_id = self._short(answer.find(form.id)) if form.id else ""
        if form.page is None:
            return remote_id, ""
        if form.page_is_template:
            template = Template(form.page, form.names, self.key("page"))
            return remote_id, template.fill_url({**form.vars, **photo.values})
        return remote_id, self._short(answer.find(form.page))

    def _short(self, text: str) -> str:
        """What the server calls a photo, fit to be journaled."""
        return words_in(self.masked(text))


class _Json:
    """An answer's JSON, parsed when first asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._parsed: Any = None
        self._tried = False

    def find(self, expression: str) -> str:
        """What a JMESPath finds, as text; "" if nothing."""
        import jmespath

        if not self._tried:
            self._tried = True
            try:
                self._parsed = json.loads(self._answer.text or "")
            except (ValueError, RecursionError):
                self._parsed = None
        try:
            found = jmespath.search(expression, self._parsed)
        except jmespath.exceptions.JMESPathError:
            return ""
        if isinstance(found, bool) or found is None or isinstance(found, dict | list):
            return ""
        return str(found)


def _sendable(text: str) -> str:
    """Text that UTF-8 can hold: undecodable bytes of a file name become ``_``."""
    return "".join("_" if 0xD800 <= ord(letter) <= 0xDFFF else letter for letter in text)
