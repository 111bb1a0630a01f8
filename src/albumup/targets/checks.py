"""Checks of ``target check`` that several kinds of targets make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from albumup.targets.values import Check
from albumup.transfer import Answer, Fault, Sent
from albumup.transfer.values import FAULTY

if TYPE_CHECKING:
    from albumup.targets.base import Target
    from albumup.transfer.http import Http


def checked(name: str, url: str, sent: Sent) -> Check:
    """The check of a request for which any 2xx is good."""
    if sent.answer is None:
        return Check(
            name,
            False,
            f"{url}: {sent.detail or sent.fault}",
            is_down=sent.fault is Fault.NOT_REACHED,
        )
    status = sent.answer.status
    well = 200 <= status < 300 and not sent.answer.is_page
    page = " with an HTML page" if sent.answer.is_page else ""
    return Check(
        name, well, f"{url} answered {status} {sent.answer.reason}{page}", is_down=status in FAULTY
    )


def checked_addresses(target: Target, http: Http) -> list[Check]:
    """A line for each of several addresses; the first that can be used is used from then on."""
    if len(target.addresses) < 2:
        return []
    lines, found = [], target.find(http)
    known = target.server or found.server
    for number, address in enumerate(target.addresses, 1):
        who, name = target.who_is_at(http, address), f"address {number}"
        if who.words:
            is_down = not who.is_wrong
            not_here = None if found.address and is_down else False
            lines.append(Check(name, not_here, f"{address}: {who.words}", is_down=is_down))
        elif address == found.address:
            lines.append(Check(name, True, f"{address}: used now"))
        elif who.server and who.server == known:
            lines.append(Check(name, True, f"{address}: the same server"))
        else:
            why = next((note for note in found.notes if note.startswith(f"{address} ")), "")
            other = f"{address} is not known to be the same server: nothing is sent there"
            lines.append(Check(name, False, why or other))
    if found.address:
        target.move_to(found.address)
    return lines


def limit_of_proxy(answer: Answer | None) -> list[Check]:
    """The body size that a known proxy lets through, told by the Server header.

    Cloudflare takes 100 MB on its Free and Pro plans and answers 413 to more
    (developers.cloudflare.com/workers/platform/limits, "Request limits").
    """
    if answer is None or "cloudflare" not in answer.headers.get("server", "").lower():
        return []
    words = (
        "Cloudflare stands before it: bodies over 100 MB do not get through "
        "(more only on its dearer plans); send such files by an address that goes past it"
    )
    return [Check("largest", None, words)]
