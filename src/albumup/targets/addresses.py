"""Finds the address that leads to a target's server, if the target has several.

A server is known by its words about itself, which it says without a token. So no token goes to a
stranger's server that happens to have one of the addresses, such as 192.168.1.5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from albumup.transfer import Answer, Fault, Sent
from albumup.transfer.values import DOWN

CONNECT_SECONDS = 3.0
"""The longest time to connect to an address before the next address is tried."""


class Who(Struct, frozen=True):
    """The server that answers at an address, without having seen a token.

    ``words``: why the address cannot be used now, "" if it can. ``server``: the server's identity,
    "" if it does not tell.
    """

    words: str = ""
    server: str = ""
    is_reached: bool = True
    is_wrong: bool = False
    """Waiting makes no sense: there is no such host, or another kind of server."""


class Found(Struct, frozen=True):
    """The result of the search for the server.

    ``address``: "" if the server was not found; then ``words`` say why.
    """

    address: str = ""
    server: str = ""
    words: str = ""
    is_reached: bool = False
    is_wrong: bool = False
    notes: Sequence[str] = ()
    """Sentences about addresses to which nothing is ever sent."""


def find(addresses: Sequence[str], known: str, ask: Callable[[str], Who]) -> Found:
    """Find the first address at which the server ``known`` answers.

    If none is known yet, it is the first address that may be trusted: the first of the list, which
    is trusted like the only address of another target, or one with https, where a certificate names
    its owner.
    """
    notes: list[str] = []
    failures: list[Who] = []
    for number, address in enumerate(addresses):
        who = ask(address)
        if who.words:
            failures.append(Who(f"{address}: {who.words}", "", who.is_reached, who.is_wrong))
        elif known and who.server == known:
            return Found(address, known, notes=tuple(notes))
        elif known or (number and not who.server):
            notes.append(_not_sent_to(address, who))
        elif number and not address.startswith("https://"):
            notes.append(
                f"{address} is not used before {addresses[0]} was reached once: until then nobody "
                "knows whether it is the same server, and the token goes to no other in clear text"
            )
        else:
            return Found(address, who.server, notes=tuple(notes))
    return Found(
        words="; ".join([who.words for who in failures] + notes),
        is_reached=bool(notes) or any(who.is_reached for who in failures),
        is_wrong=all(who.is_wrong for who in failures),
        notes=tuple(notes),
    )


def _not_sent_to(address: str, who: Who) -> str:
    if who.server:
        return f"{address} is another server than the one known by now: nothing is sent there"
    return f"{address} does not say which server it is: nothing is sent there"


def unusable(sent: Sent) -> Who | None:
    """Why an address with this answer cannot be used; None if a healthy server answers."""
    if sent.answer is None:
        is_wrong = sent.fault in (Fault.UNKNOWN_HOST, Fault.BAD_CERTIFICATE)
        is_reached = sent.fault in (Fault.BROKEN, Fault.LOST)
        return Who(sent.detail or str(sent.fault), is_reached=is_reached, is_wrong=is_wrong)
    if sent.answer.status in DOWN:
        return Who(_status(sent.answer))
    return None


def stranger(answer: Answer, kind: str) -> Who:
    """The words for an answer from another kind of server than ``kind``."""
    page = " with an HTML page" if answer.is_page else ""
    return Who(f"{_status(answer)}{page}, and is no {kind}", is_wrong=True)


def _status(answer: Answer) -> str:
    return f"{answer.status} {answer.reason}".strip()
