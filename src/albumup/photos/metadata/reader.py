"""Chooses the readers for a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import TracebackType

from albumup.photos.metadata import avchd, avi, clips, exiftool, matroska, pictures, raws, xmp
from albumup.photos.metadata.bounded_file import BoundedFile
from albumup.photos.metadata.values import Metadata
from albumup.photos.sniffing import HEAD_BYTES

_Reader = Callable[[BoundedFile], Metadata | None]

_BY_PILLOW = {"image/jpeg", "image/heic", "image/heif", "image/avif", "image/webp", "image/tiff"}
_BY_EXIFREAD = {"image/png", "image/jxl"}
"""Besides these, exifread reads the RAW types based on TIFF: all but those in
``_BY_EXIFTOOL_ALONE``."""

_BY_EXIFTOOL_ALONE = {
    "image/x-canon-cr3", "image/x-canon-crw", "image/x-fuji-raf", "image/x-minolta-mrw",
    "image/x-sigma-x3f", "image/x-phaseone-eip", "image/x-lytro-lfp", "image/x-photo-cd",
    "image/x-sony-pmp", "image/x-rawzor",
    "image/jp2", "image/jpx", "image/vnd.adobe.photoshop", "image/vnd.fpx",
    "video/x-ms-wmv", "video/x-ms-asf", "video/x-flv", "video/x-dv", "application/mxf",
    "video/x-canon-crm", "video/mj2",
}  # fmt: skip
_BY_US = {
    "video/quicktime", "video/mp4", "video/x-m4v", "video/x-f4v", "video/3gpp", "video/3gpp2",
    "video/x-braw", "video/x-msvideo", "video/x-matroska", "video/webm", "video/mp2t",
}  # fmt: skip

_CONTENTS: tuple[tuple[bytes, tuple[_Reader, ...]], ...] = (
    (rb"RIFF....AVI", (avi.read,)),
    (rb"\x1aE\xdf\xa3", (matroska.read,)),
    (rb"(?:....)?G.{187}(?:....)?G", (avchd.read,)),
    (rb"....ftyp(?:hei|hev|mi[fa]|msf|avi|MiH)", (pictures.read, raws.read, xmp.read)),
    (rb"....ftypcrx", ()),  # the time in its movie header is local time without an offset
    (rb"....(?:ftyp|moov|mdat|wide|free|skip|pnot)", (clips.read,)),
    (rb"\x89PNG|II[^*+]|MMOR|\0\0\0\x0cJXL", (raws.read, xmp.read)),
)
_ELSE: tuple[_Reader, ...] = (pictures.read, raws.read, xmp.read)


def can_read(mime: str) -> bool:
    """Is a reader for files of this type installed?"""
    if mime in _BY_US or (mime in _BY_PILLOW and pictures.can_read(mime)):
        return True
    return (_is_by_exifread(mime) and raws.can_read()) or (
        _is_by_exiftool(mime) and exiftool.program() is not None
    )


def _is_by_exifread(mime: str) -> bool:
    return mime in _BY_EXIFREAD or (mime.startswith("image/x-") and mime not in _BY_EXIFTOOL_ALONE)


def _is_by_exiftool(mime: str) -> bool:
    return mime in _BY_EXIFTOOL_ALONE or mime in _BY_PILLOW or _is_by_exifread(mime)


INSTALL_PHOTOS = "pipx inject albumup exifread pillow pillow-heif"
"""Installs the extra ``photos`` into an albumup of pipx, package by package, which always works."""


def what_reads(mime: str) -> str:
    """What to install, as a step to take, if ``can_read`` is false; "" if nothing would help."""
    if can_read(mime) or not _is_by_exiftool(mime):
        return ""
    if mime in _BY_EXIFTOOL_ALONE:
        return "install exiftool, which reads this type"
    return f"install what reads dates: {INSTALL_PHOTOS}, or exiftool"


class MetadataReader:
    """Reads metadata, for all threads; the caller closes it. It costs nothing until exiftool is
    needed."""

    def __init__(self) -> None:
        self._exiftool = exiftool.ExifTool()

    def __enter__(self) -> MetadataReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._exiftool.close()

    def read(self, path: bytes, mime: str) -> Metadata:
        """The file's metadata, as far as the installed readers find it; empty if none can."""
        return self._read(path, mime, lambda found: found is not None and found.taken is not None)

    def content_id(self, path: bytes, mime: str) -> str:
        """The file's content id alone, "" if it has none. No further reader is asked only because a
        date is missing."""
        return self._read(
            path, mime, lambda found: found is not None or mime not in _BY_PILLOW
        ).content_id

    def _read(
        self, path: bytes, mime: str, is_enough: Callable[[Metadata | None], bool]
    ) -> Metadata:
        try:
            file = BoundedFile(path)
        except (OSError, ValueError):
            return Metadata()
        with file:
            found: Metadata | None = None
            for read in _readers(file, mime):
                found = _joined(found, read(file))
                if is_enough(found):
                    break
            else:
                is_matroska = mime in ("video/x-matroska", "video/webm")
                found = _joined(
                    found, self._exiftool.read(path, file.fileno(), is_matroska=is_matroska)
                )
        return found or Metadata()


def _joined(one: Metadata | None, other: Metadata | None) -> Metadata | None:
    if one is None or other is None:
        return one or other
    return Metadata(one.taken or other.taken, one.content_id or other.content_id)


def _readers(file: BoundedFile, mime: str) -> Iterator[_Reader]:
    """The readers for a file, by its content; its type only tells RAW types from TIFF."""
    try:
        head = file.read(HEAD_BYTES)
    except OSError:
        return
    readers = next(
        (some for content, some in _CONTENTS if re.match(content, head, re.DOTALL)), _ELSE
    )
    if readers is _ELSE and _is_by_exifread(mime):
        readers = (raws.read, pictures.read, xmp.read)
    for read in readers:
        file.seek(0)
        yield read
