"""Finds the dates in XMP by patterns: an untrusted file is not given to an XML parser.

The order of dates in XMP and EXIF is that of the Metadata Working Group's "Guidelines for Handling
Image Metadata" 2.0, section 5.2: when the photo was taken, then when it was digitized.
"""

from __future__ import annotations

import re
from datetime import datetime

from albumup.photos.metadata.bounded_file import BoundedFile
from albumup.photos.metadata.values import Metadata, first, moment

_MOST_BYTES = 1 << 20

_ORIGINAL = (b"exif:DateTimeOriginal", b"photoshop:DateCreated")
_DIGITIZED = (b"exif:DateTimeDigitized", b"xmp:CreateDate", b"xap:CreateDate")


def read(file: BoundedFile) -> Metadata | None:
    """The date in the first packet within the first MiB of any file.

    The packet is plain text even in files that no library here reads (PSD, JPEG 2000, GIF).
    """
    try:
        block = file.read(_MOST_BYTES)
    except OSError:
        return None
    packet = block.partition(b"<x:xmpmeta")[2].partition(b"</x:xmpmeta>")[0]
    taken = first([original(packet), digitized(packet)])
    return Metadata(taken) if taken is not None else None


def original(packet: bytes) -> datetime | None:
    """When the photo was taken; None if the packet does not say."""
    return first(_moment(packet, name) for name in _ORIGINAL)


def digitized(packet: bytes) -> datetime | None:
    """When the photo was digitized or created; None if the packet does not say."""
    return first(_moment(packet, name) for name in _DIGITIZED)


def _moment(packet: bytes, name: bytes) -> datetime | None:
    found = re.search(name + rb"(?:\s?=\s?[\"']|>)([0-9][^\"'<]{9,39})[\"'<]", packet)
    return moment(found[1].decode("latin-1")) if found else None
