"""AVCHD (MTS, M2TS): reads the camera's clock from the video stream.

The clock is in a user data message of the H.264 stream (supplemental enhancement information), in
the format of digital video tapes. Sources: ISO/IEC 13818-1, section 2.4.3 (packets); ITU-T H.264,
sections 7.3.1 (a 3 after two zeros is not data) and D.1.6; exiftool (lib/Image/ExifTool/H264.pm)
for the message.
"""

from __future__ import annotations

import contextlib
from datetime import datetime

from albumup.photos.metadata.bounded_file import BoundedFile
from albumup.photos.metadata.values import Metadata, clip_moment

_MOST_BYTES = 2 << 20
"""Bytes that are searched: the message comes with the first picture."""

_PACKET, _SYNC = 188, 0x47
_MARK = bytes.fromhex("17ee8c60f84d11d98cd60800200c9a66") + b"MDPM"
_MESSAGE = 256
"""Bytes of the message that are read: it has up to 255 entries, and the date is among the first."""

_YEAR_AND_MONTH, _DAY_AND_TIME = 0x18, 0x19
_UNKNOWN, _SUMMER, _WEST, _HALF = 0x80, 0x40, 0x20, 0x01


def read(file: BoundedFile) -> Metadata | None:
    """The clock in the first message; None if there is none."""
    with contextlib.suppress(OSError):
        file.seek(0)
        for stream in _streams(file.read(_MOST_BYTES)):
            at = stream.find(_MARK)
            if at >= 0:
                taken = _moment(_entries(stream[at + len(_MARK) : at + len(_MARK) + _MESSAGE]))
                return Metadata(taken) if taken is not None else None
    return None


def _streams(block: bytes) -> list[bytes]:
    """The payloads of each stream in a block. AVCHD puts a time code of four bytes before each
    packet."""
    step = _PACKET if block[:1] == bytes([_SYNC]) else _PACKET + 4
    streams: dict[int, bytearray] = {}
    for start in range(step - _PACKET, len(block) - _PACKET + 1, step):
        packet = memoryview(block)[start : start + _PACKET]
        if packet[0] != _SYNC:
            continue
        number, control = int.from_bytes(packet[1:3], "big") & 0x1FFF, packet[3]
        if control & 0x10:
            payload = 5 + packet[4] if control & 0x20 else 4
            streams.setdefault(number, bytearray()).extend(packet[payload:])
    return [bytes(stream) for stream in streams.values()]


def _entries(message: bytes) -> dict[int, bytes]:
    """The message's entries by number: four bytes each, in ascending order."""
    message = message.replace(b"\0\0\3", b"\0\0")
    entries: dict[int, bytes] = {}
    for at in range(1, 1 + 5 * message[0] if message else 0, 5):
        if len(message) < at + 5 or message[at] <= max(entries, default=-1):
            break
        entries[message[at]] = message[at + 1 : at + 5]
    return entries


def _moment(entries: dict[int, bytes]) -> datetime | None:
    """The clock's time; each half of a byte is a digit.

    In summer the zone is left out: it is not documented whether it includes summer time.
    """
    if not {_YEAR_AND_MONTH, _DAY_AND_TIME} <= entries.keys():
        return None
    zone, *digits = entries[_YEAR_AND_MONTH] + entries[_DAY_AND_TIME]
    century, year, month, day, hour, minute, second = (f"{byte:02x}" for byte in digits)
    offset = ""
    if not zone & (_UNKNOWN | _SUMMER):
        sign = "-" if zone & _WEST else "+"
        offset = f"{sign}{zone >> 1 & 0x0F:02}:" + ("30" if zone & _HALF else "00")
    return clip_moment(f"{century}{year}:{month}:{day} {hour}:{minute}:{second}{offset}")
