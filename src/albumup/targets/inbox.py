"""``kind = "inbox"``: albumup's own receiver, on another machine or, without a URL, built into the
uploader.

The built-in receiver lives for one run, on a random loopback port with a random secret, and stores
below the user's data folder. :mod:`albumup.receive.handler` describes the requests and answers.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from albumup.config.settings import CommonSettings, InboxSettings
from albumup.disk import existing, room_in
from albumup.errors import ConfigError
from albumup.receive import Receiver, Store, store_id
from albumup.receive.handler import NO_TOKEN, RECEIVER
from albumup.receive.names import album_folder_name, photo_name
from albumup.targets.addresses import CONNECT_SECONDS, Who, stranger, unusable
from albumup.targets.answers import object_of, words_in
from albumup.targets.base import (
    BUILT_IN,
    Asked,
    Check,
    Form,
    NotAllowed,
    Original,
    Photo,
    Seen,
    Target,
    Unasked,
    Verdict,
    VerdictKind,
)
from albumup.targets.checks import checked, checked_addresses
from albumup.targets.tokens import how_to_mend, where_token_is
from albumup.transfer import Answer, Peer, Request, Sent

if TYPE_CHECKING:
    from albumup.transfer.http import Http

_ASK_AT_A_TIME = 5000
_MOST_ANSWER = 16 << 20
"""Bytes: enough for ``_ASK_AT_A_TIME`` digests, each with the longest name."""
_READS_PER_SECOND = 4 << 20
"""Bytes per second that a busy receiver reads from a slow disk."""


class InboxTarget(Target):
    """A receiver at ``settings.url``."""

    kind = "inbox"
    settings_type: ClassVar[type[CommonSettings]] = InboxSettings
    can_ask = True
    overwrites_by_name = False
    removal = "delete it there"

    def __init__(self, name: str, settings: CommonSettings, token: str | None, where: str) -> None:
        super().__init__(name, settings, token, where)
        self._root = self.at.rstrip("/")
        self._headers = self.authorization()

    @property
    def times(self) -> bool:
        return False

    def move_to(self, address: str) -> None:
        super().move_to(address)
        self._root = address.rstrip("/")

    def who_is_at(self, http: Http, address: str) -> Who:
        """A receiver says by a header which one it is (``albumup.receive.handler``)."""
        url = address.rstrip("/") + "/"
        sent = http.call("GET", url, shows_token=False, connects_within=CONNECT_SECONDS)
        if (why := unusable(sent)) is not None:
            return why
        assert sent.answer is not None
        if not _is_ours(sent):
            return stranger(sent.answer, "receiver of albumup")
        return Who(server=words_in(sent.answer.headers.get(RECEIVER.lower(), "")))

    @classmethod
    def recognises(cls, http: Http, url: str) -> str | None:
        return url.rstrip("/") if _is_ours(http.call("GET", url.rstrip("/") + "/")) else None

    @classmethod
    def wants_token(cls, http: Http, url: str) -> bool:
        sent = http.call("GET", url.rstrip("/") + "/")
        return not (_is_ours(sent) and sent.answer is not None and sent.answer.status == 200)

    def form(self, photo: Photo, filename: str) -> Form:
        # The receiver makes the name safe. A field cannot hold bytes that are not UTF-8.
        name = (
            str(photo.values["name"])
            .encode(errors="surrogateescape")
            .decode(errors="replace")
            .replace("\ufffd", "_")
        )
        fields = [
            ("name", name),
            ("size", str(photo.values["size"])),
            ("sha256", photo.digests["sha256"]),
        ]
        return Form(fields, "file", filename, photo.mime)

    def filename(self, photo: Photo) -> str:
        return str(photo.values["name"])

    def request(self, photo: Photo) -> Request:
        return Request(
            "POST", self._address_of(str(photo.values["album"]), "photos"), self._headers
        )

    def names_digest(self, photo: Photo) -> bool:  # noqa: ARG002 - all of them
        return True

    def read_answer(self, answer: Answer, photo: Photo) -> Verdict:
        """A photo is stored only if the receiver names its digest."""
        said = object_of(answer)
        if (
            answer.status in (200, 201)
            and said.get("sha256") == photo.digests["sha256"]
            and answer.complete
        ):
            kind = {"created": VerdictKind.STORED, "duplicate": VerdictKind.DUPLICATE}.get(
                str(said.get("status"))
            )
            if kind is not None:
                return Verdict(
                    kind,
                    f"{said['status']} with the digest",
                    "",
                    words_in(self.masked(str(said.get("id", "")))),
                )
        words = self.own_words(answer)
        reason = f"{answer.status} {answer.reason}: {words}" if words else ""
        return Verdict(VerdictKind.UNPROVEN, f"status {answer.status}", reason)

    def check(self) -> list[Check]:
        http = self.http()
        lines = checked_addresses(self, http)
        if not self.is_placed:
            return lines
        sent = http.call("GET", self._root + "/")
        return lines + self._checked(sent)

    def _checked(self, sent: Sent) -> list[Check]:
        if sent.answer is None:
            return [checked("address", self._root, sent)]
        ours = _is_ours(sent)
        if sent.answer.status == 401:
            what = (
                "a receiver of albumup"
                if ours
                else "a server with a password, and no receiver of albumup"
            )
            return [
                Check("address", ours, f"{self._root}: {what}"),
                Check("token", False, f"401: {NO_TOKEN}; {where_token_is(self)}"),
            ]
        words = (
            "a receiver of albumup"
            if ours
            else f"answered {sent.answer.status}, and is no receiver of albumup"
        )
        token = "accepted" if self.token else "none is asked for"
        return [Check("address", ours, f"{self._root}: {words}")] + [
            Check("token", True, token)
        ] * ours

    def ping(self, http: Http, url: str | None) -> Sent:  # noqa: ARG002 - it has an address for that
        return http.call("GET", self._root + "/")

    def ask(self, http: Http, album: str, photos: Sequence[Asked]) -> list[Verdict | None]:
        found: list[Verdict | None] = []
        for start in range(0, len(photos), _ASK_AT_A_TIME):
            digests = [
                photo.digests.get("sha256", "") for photo in photos[start : start + _ASK_AT_A_TIME]
            ]
            have = self._asked(http, album, {"sha256": sorted({*digests} - {""})})["have"]
            found += [
                Verdict(VerdictKind.STORED, "ask") if digest in have else None for digest in digests
            ]
        return found

    def see(self, http: Http, album: str, photo: Asked, found: Verdict) -> Seen:  # noqa: ARG002 - it goes by digest
        """Have the receiver read the whole photo again from its disk."""
        try:
            said = self._read_again(http, album, photo)
        except NotAllowed as refused:
            return Seen(Original.UNKNOWN, str(refused))
        if said.get("read") is not True:
            return Seen(
                Original.UNKNOWN, f"the receiver at {self.address} is too old to read a photo again"
            )
        if photo.digests["sha256"] in said["have"]:
            return Seen(Original.READABLE)
        return Seen(Original.BROKEN, f"its file at {self.address} is damaged or gone")

    def read_back(self, http: Http, album: str, photo: Asked, found: Verdict) -> str:  # noqa: ARG002
        said = self._read_again(http, album, photo)
        is_read = said.get("read") is True and photo.digests["sha256"] in said["have"]
        return photo.digests["sha256"] if is_read else ""

    def _read_again(self, http: Http, album: str, photo: Asked) -> dict[str, Any]:
        question = {"sha256": [photo.digests["sha256"]], "read": True}
        return self._asked(http, album, question, more_seconds=photo.size / _READS_PER_SECOND)

    def _asked(
        self, http: Http, album: str, question: dict[str, Any], more_seconds: float = 0.0
    ) -> dict[str, Any]:
        """The receiver's answer, with its object "have". Raises Unasked, and ConfigError if it
        refuses us."""
        self.place_itself(http)
        address = self._address_of(album, "ask")
        sent = http.call(
            "POST", address, json=question, most=_MOST_ANSWER, more_seconds=more_seconds
        )
        said = object_of(sent.answer) if sent.answer and sent.answer.status == 200 else {}
        if not isinstance(said.get("have"), dict):
            answer = sent.answer
            if answer is not None and answer.status == 401:
                raise ConfigError(
                    f"{self.name}: {self._root} does not take the token: 401 {answer.reason}",
                    how_to_mend(self, answer.status),
                )
            # From a proxy: a receiver does not answer 403.
            if answer is not None and answer.status == 403:
                raise NotAllowed(f"{self.name}: {address} is not let through: 403 {answer.reason}")
            raise Unasked(
                f"{answer.status} {answer.reason}" if answer else sent.detail or str(sent.fault)
            )
        return said

    def where_tried(self, photo: Photo, remote_id: str, url: str) -> str:  # noqa: ARG002 - its files have names
        folder = album_folder_name(str(photo.values["album"]))
        name = f"{folder}/{photo_name(str(photo.values['name']))}"
        return (
            f"at {os.path.join(self.address, name)}"
            if self.is_local
            else f"at {name} below {self.address}'s folder"
        )

    def keeps_in(self, http: Http, folder: bytes) -> bool:
        self.place_itself(http)
        answer = http.call("GET", self._root + "/").answer
        known, here = object_of(answer).get("store") if answer else None, store_id(folder)
        return not known or here is None or known == here

    def _address_of(self, album: str, what: str) -> str:
        return f"{self._root}/albums/{quote(album, safe='', errors='surrogateescape')}/{what}"


def _is_ours(sent: Sent) -> bool:
    """Is this the answer of albumup's receiver, even if it wants another token?"""
    if sent.answer is None:
        return False
    said = object_of(sent.answer)
    return said.get("server") == "albumup" or (
        sent.answer.status == 401 and said == {"error": NO_TOKEN}
    )


class BuiltInInbox(InboxTarget):
    """The receiver within this process: "copied to FOLDER on this computer"."""

    is_local = True

    def __init__(self, name: str, folder: str) -> None:
        token = secrets.token_urlsafe(32)
        self.folder = folder
        self._receiver = Receiver(Store(folder), token=token)
        self._receiver.start()
        # The receiver dies with the process: a photo in doubt is not on its way any more, so ask at
        # once.
        settings = InboxSettings(url=self._receiver.url, auth="bearer", settle=0.0)
        super().__init__(name, settings, token, "the built-in inbox")

    @property
    def address(self) -> str:
        return self.folder

    @property
    def fingerprint(self) -> str:
        """The same in each run, whatever the port and the secret are."""
        return BUILT_IN

    @property
    def kept(self) -> str:
        return json.dumps({"kind": BUILT_IN})

    @property
    def peer(self) -> Peer:
        return Peer(self.settings.timeout, direct=True)

    def check(self) -> list[Check]:
        return look_at(self.folder)

    def close(self) -> None:
        self._receiver.stop()


def look_at(folder: str) -> list[Check]:
    """Check that photos can be copied to a folder, which need not exist yet. Creates nothing."""
    place = existing(folder)
    return [
        Check("folder", os.access(place, os.W_OK), f"{folder}, {room_in(place) / 1e9:.1f} GB free")
    ]
