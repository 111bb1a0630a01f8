"""``kind = "form"``: any server that takes multipart/form-data, by the config file, no code."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, cast

from albumup.config.file import OPTIONS
from albumup.config.settings import CommonSettings, FormSettings
from albumup.config.shown_address import identity_of, shown_address
from albumup.config.template import NAMES, Template
from albumup.targets.answers import no_of, words_in
from albumup.targets.base import Check, Form, Photo, Target, Verdict, VerdictKind
from albumup.targets.checks import checked, limit_of_proxy
from albumup.targets.form_answers import DIGESTS, Proof, Reading
from albumup.targets.tokens import where_token_is
from albumup.transfer import Answer, Request, Sent
from albumup.transfer.values import DOWN

if TYPE_CHECKING:
    from albumup.transfer.http import Http

_MOST_WORDS = 500
"""The most characters of a reason: the status, our words, the server's message."""
_PLACE = re.compile(
    "album|folder|gallery|galerie|ordner|collection|categor|event|dir|path", re.IGNORECASE
)
"""Names of fields that say where a photo goes."""
_NOT_OF_PHOTO = DOWN | {401, 403, 404, 405, 407, 408, 410, 421, 425, 507, 511}
"""Statuses about the client, the address or the server: their text says nothing about the photo."""


class FormTarget(Target):
    """A server described by the config's rules, which are compiled once."""

    kind = "form"
    settings_type: ClassVar[type[CommonSettings]] = FormSettings

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
        self._proof = Proof(form, self.key("proof")) if form.proof is not None else None
        told = (
            ("refused_text", form.refused_text, VerdictKind.REFUSED),
            ("duplicate_text", form.duplicate_text, VerdictKind.DUPLICATE),
            ("failure_text", form.failure_text, VerdictKind.REJECTED),
        )
        self._text_rules = [
            (rule, pattern, kind) for rule, pattern, kind in told if pattern is not None
        ]
        self._names = frozenset(found for template in templates for found in template.names)
        self._secret = any("token" in template.names for _, template in self._fields)
        self._headers = [*form.headers.items(), *self.authorization()]
        self._takes_pages = form.success_text is not None or form.failure_text is not None
        places = [self._url, *(template for _, template in self._fields)]
        self._names_album = any("album" in template.names for template in places)

    def shares_folder(self, album: str) -> bool:
        return not self._names_album and not self._placing(album)

    def puts_into(self, album: str) -> str:
        """A key made of the address and of the fields that say where a photo goes."""
        form = self._form
        own = {name: form.vars[name] for name in sorted(self._url.names & form.vars.keys())}
        url = identity_of(form.url)
        return json.dumps([url, own, self._placing(album), album if self._names_album else ""])

    def _placing(self, album: str) -> dict[str, str]:
        """The fields with one value for all photos that say where they go: by field name, or as the
        album's name."""
        own = self._form.vars
        fixed = {
            field: template.fill(own)
            for field, template in self._fields
            if template.names <= own.keys()
        }
        name = album.casefold()
        return {
            key: value
            for key, value in fixed.items()
            if _PLACE.search(key) or value.casefold() == name
        }

    @cached_property
    def digests(self) -> Collection[str]:
        named = self._names | self._proof.names if self._proof is not None else self._names
        return ("sha256", *sorted({"sha1", "md5"} & named))

    @property
    def dates(self) -> bool:
        return "taken" in self._names

    @property
    def times(self) -> bool:
        return "modified" in self._names or self._form.page_is_template

    def form(self, photo: Photo, filename: str) -> Form:
        fields: list[tuple[str, str]] = []
        if self._fields:
            values = {**self._form.vars, **photo.values, "token": self.token or ""}
            fields = [(field, _sendable(template.fill(values))) for field, template in self._fields]
        return Form(fields, self._form.file_field, filename, photo.mime, self._secret)

    def filename(self, photo: Photo) -> str:
        return self._filename.fill(self._values_of(photo))

    def _values_of(self, photo: Photo) -> Mapping[str, object]:
        return {**self._form.vars, **photo.values} if self._form.vars else photo.values

    def request(self, photo: Photo) -> Request:
        url = self._url.fill_url(self._values_of(photo))
        return Request(self._form.method, url, self._headers)

    def names_digest(self, photo: Photo) -> bool:  # noqa: ARG002 - all or none
        return self._names_digest

    @cached_property
    def _names_digest(self) -> bool:
        templates = [self._url, *(template for _, template in self._fields)]
        return any(DIGESTS & template.names for template in templates)

    def success_keys(self, status: int) -> Collection[str]:
        return ("success_location",) if 300 <= status < 400 else ("success_text", "success")

    def read_answer(self, answer: Answer, photo: Photo) -> Verdict:
        """Apply the rules in the order of docs/configuration.md: text, status, then all conditions
        of success."""
        read = Reading(answer, self._form.message)
        if answer.text is None:
            return self._verdict(
                VerdictKind.UNPROVEN,
                "an answer that can be read",
                read,
                "what it says is unreadable",
            )
        by_words = self._by_words(read, photo)
        if by_words is not None:
            return by_words
        form, status = self._form, answer.status
        if status in form.duplicate:
            return self._verdict(VerdictKind.DUPLICATE, f"duplicate = {status}", read, photo=photo)
        if 300 <= status < 400:
            return self._by_location(read, photo)
        if status in form.success or (not form.success and 200 <= status < 300):
            return self._by_success(read, photo)
        if 200 <= status < 300:
            return self._verdict(
                VerdictKind.UNPROVEN, "success", read, f"not among success = {list(form.success)}"
            )
        return self._verdict(VerdictKind.UNPROVEN, f"status {status}", read)

    def _by_words(self, read: Reading, photo: Photo) -> Verdict | None:
        """The verdict of the first text rule that matches; None if none does."""
        answer = read.answer
        is_of_photo = answer.status not in _NOT_OF_PHOTO or answer.status in self._form.success
        for rule, pattern, kind in self._text_rules:
            if not is_of_photo and kind is not VerdictKind.REFUSED:
                continue
            if found := answer.search(pattern):
                matched = "" if found[0] in read.words else found[0]
                there = photo if kind is VerdictKind.DUPLICATE else None
                return self._verdict(kind, rule, read, matched, there)
        return None

    def _by_location(self, read: Reading, photo: Photo) -> Verdict:
        """Judge a redirect by its Location."""
        form = self._form
        location = read.answer.headers.get("location", "")
        if form.success_location is None or not re.search(form.success_location, location):
            return self._verdict(
                VerdictKind.UNPROVEN,
                f"status {read.answer.status}",
                read,
                f"to {location}" if location else "",
            )
        return self._by_content(read, photo, "success_location")

    def _by_success(self, read: Reading, photo: Photo) -> Verdict:
        """Judge a status of success: all other conditions must hold, too."""
        form, answer = self._form, read.answer
        rule = (
            "success"
            if form.success
            else "any 2xx that is no HTML page, and whose JSON does not say no"
        )
        if form.success_text is not None:
            rule = "success_text"
            if not answer.search(form.success_text):
                return self._verdict(
                    VerdictKind.UNPROVEN, rule, read, "success_text was not found in the answer"
                )
        elif answer.is_page:
            return self._verdict(
                VerdictKind.UNPROVEN,
                "no HTML page",
                read,
                "an HTML page, where an answer should be",
            )
        elif not answer.complete:
            return self._verdict(
                VerdictKind.UNPROVEN, "a whole answer", read, "the answer was cut or too long"
            )
        asks_more = form.success_text or form.id or form.proof
        if not asks_more and (no := no_of(answer, read.said)):
            return self._verdict(
                VerdictKind.UNPROVEN, "JSON that does not say no", read, f"its answer says {no}"
            )
        return self._by_content(read, photo, rule)

    def _by_content(self, read: Reading, photo: Photo, rule: str) -> Verdict:
        """Look for the id and the proof in the answer to a success."""
        form = self._form
        if form.id is not None and not read.find(form.id):
            return self._verdict(VerdictKind.UNPROVEN, "id", read, f"no {form.id} in the answer")
        if self._proof is not None and (fault := self._proof.fault_in(read, photo, form.vars)):
            return self._verdict(VerdictKind.UNPROVEN, "proof", read, fault)
        return self._verdict(VerdictKind.STORED, rule, read, photo=photo)

    def _verdict(
        self,
        kind: VerdictKind,
        rule: str,
        read: Reading,
        words: str = "",
        photo: Photo | None = None,
    ) -> Verdict:
        """A verdict with its reason: the status, our ``words``, the server's message.

        With ``photo``, the verdict also carries the photo's id and address.
        """
        answer, reason = read.answer, ""
        if kind is not VerdictKind.STORED and kind is not VerdictKind.DUPLICATE:
            status = f"{answer.status} {answer.reason}".strip()
            # A page's title often repeats the status, though nginx words its 302 differently there.
            own = (
                ""
                if read.words == answer.reason or read.words.startswith(f"{answer.status} ")
                else read.words
            )
            parts = [status, words, own]
            reason = words_in(self.masked(": ".join(part for part in parts if part)), _MOST_WORDS)
        names = self._names_of(read, photo) if photo is not None else ("", "")
        return Verdict(kind, rule, reason, *names, takes_pages=self._takes_pages)

    def check(self) -> list[Check]:
        form = self._form
        if form.check is not None:
            url = self._check_url()
            sent = self.http().call("GET", url)
            found = checked("check", shown_address(url), sent)
        else:
            sent = self.http().call("OPTIONS", self._url.fill_url({**NAMES, **form.vars}))
            found = self._connected(sent)
        found = replace(found, words=self.masked(found.words))
        if sent.answer is not None and sent.answer.status in (401, 403):
            found = replace(found, words=f"{found.words}; {where_token_is(self)}")
        if found.ok is False:
            return [found]
        return [found, *limit_of_proxy(sent.answer), self._unproven(), *self._frail_names()]

    def _connected(self, sent: Sent) -> Check:
        """The check of an address that was asked without sending a photo."""
        if sent.answer is None:
            return checked("address", shown_address(self._form.url), sent)
        answer = sent.answer
        where = answer.headers.get("location", "") if 300 <= answer.status < 400 else ""
        to = f" to {where}; an upload follows no redirect" if where else ""
        is_down = answer.status in DOWN
        words = f"{shown_address(self._form.url)} answers {answer.status} {answer.reason}{to}"
        return Check("address", False if is_down else None, words, is_down=is_down)

    def _unproven(self) -> Check:
        words = (
            "that it takes photos, with this form and these rules, is only proven by sending one"
        )
        if self._form.check is None and self.where != OPTIONS:
            words += (
                f"; {self.key('check')} may name an address to GET, which proves the credentials"
            )
        return Check("upload", None, words)

    def _frail_names(self) -> list[Check]:
        """A warning about file names that some servers change."""
        if self._filename.names & (DIGESTS | {"index"}):
            return []
        words = (
            f"sent as {self._form.filename}: "
            "a server that changes names may give two photos one name (two in Japanese: jpg), "
            "and one that overwrites keeps the last; a name that survives: "
            + ('filename = "{sha256:.8}-{name}"' + " in the config file" * (self.where == OPTIONS))
        )
        return [Check("names", None, words)]

    def ping(self, http: Http, url: str | None) -> Sent:
        """Ask the ``check`` address, where there is one."""
        return (
            super().ping(http, url)
            if self._form.check is None
            else http.call("GET", self._check_url())
        )

    def _check_url(self) -> str:
        form = self._form
        return Template(form.check or "", form.vars, self.key("check")).fill_url(form.vars)

    def share(self, album: str) -> str:
        """The album's address for people, or "" where none is configured."""
        form = self._form
        if form.share is None:
            return ""
        return Template(form.share, form.album_names, self.key("share")).fill_url(
            {**form.vars, "album": album}
        )

    def _names_of(self, read: Reading, photo: Photo) -> tuple[str, str]:
        """The photo's id and address in an answer; "" where no rule says how to find them."""
        form = self._form
        remote_id = self._short(read.find(form.id)) if form.id else ""
        if form.page is None:
            return remote_id, ""
        if form.page_is_template:
            template = Template(form.page, form.names, self.key("page"))
            return remote_id, template.fill_url({**form.vars, **photo.values})
        return remote_id, self._short(read.find(form.page))

    def _short(self, text: str) -> str:
        """A server's id or address of a photo, masked and fit for the journal."""
        return words_in(self.masked(text))


def _sendable(text: str) -> str:
    """Replace undecodable bytes of a file name, which UTF-8 cannot hold, by ``_``."""
    return "".join("_" if 0xD800 <= ord(letter) <= 0xDFFF else letter for letter in text)
