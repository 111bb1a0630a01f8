"""The dates in XMP, without a parser of XML: what lies in a stranger's file is only looked at.

They go with those of EXIF in the order of the Metadata Working Group's "Guidelines for Handling Image Metadata" 2.0,
section 5.2: when the photo was taken, then when it was digitized.
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
    """What the first packet in the first MiB of any file says.

    It lies there in the clear, also in files that no library here reads (PSD, JPEG 2000, GIF).
    """
    try:
        block = file.read(_MOST_BYTES)
    except OSError:
        return None
    packet = block.partition(b"<x:xmpmeta")[2].partition(b"</x:xmpmeta>")[0]
    taken = first([original(packet), digitized(packet)])
    return Metadata(taken) if taken is not None else None


def original(packet: bytes) -> datetime | None:
    """When the photo was taken, as far as the packet says so."""
    return first(_moment(packet, name) for name in _ORIGINAL)


def digitized(packet: bytes) -> datetime | None:
    """When it was digitized, or made."""
    return first(_moment(packet, name) for name in _DIGITIZED)


def _moment(packet: bytes, name: bytes) -> datetime | None:
    found = re.search(name + rb"(?:\s?=\s?[\"']|>)([0-9][^\"'<]{9,39})[\"'<]", packet)
    return moment(found[1].decode("latin-1")) if found else None
