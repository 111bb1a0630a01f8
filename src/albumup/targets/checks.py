"""Checks of ``target check`` that several kinds of targets make."""

from __future__ import annotations

from albumup.targets.values import Check
from albumup.transfer import Answer, Fault, Sent
from albumup.transfer.values import FAULTY


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
