"""Which reader reads what."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from albumup.facts import clips, exiftool, pictures
from albumup.facts.patience import PatientFile
from albumup.facts.values import Facts

_PICTURES = {"image/jpeg", "image/heic", "image/heif", "image/avif", "image/webp", "image/tiff"}
_BY_EXIFREAD = {
    "image/png", "image/x-adobe-dng", "image/x-canon-cr2", "image/x-nikon-nef", "image/x-sony-arw",
    "image/x-olympus-orf", "image/x-panasonic-rw2",
}  # fmt: skip
_BY_EXIFTOOL_ALONE = {"image/x-canon-cr3", "image/x-fuji-raf"}
_CLIPS = {"video/quicktime", "video/mp4", "video/x-m4v", "video/3gpp", "video/3gpp2"}
_IMAGES = _PICTURES | _BY_EXIFREAD | _BY_EXIFTOOL_ALONE


def can_read(mime: str) -> bool:
    """Is there something on this computer that reads files of that type?"""
    if mime in _CLIPS:
        return True
    if (mime in _PICTURES and pictures.can_read(mime)) or (mime in _BY_EXIFREAD and pictures.can_read_tiff()):
        return True
    return mime in _IMAGES and exiftool.program() is not None


def what_reads(mime: str) -> str:
    """What to install, as a step to take, where ``can_read`` says no; "" where nothing would help."""
    if can_read(mime) or mime not in _IMAGES:
        return ""
    if mime in _BY_EXIFTOOL_ALONE:
        return "install exiftool, which reads this type"
    return "install what reads dates: pip install 'albumup[photos]', or exiftool"


class FactsReader:
    """Reads facts; to be closed. Threads may share one. Costs nothing until exiftool is needed."""

    def __init__(self) -> None:
        self._exiftool = exiftool.ExifTool()

    def __enter__(self) -> FactsReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._exiftool.close()

    def read(self, path: bytes, mime: str) -> Facts:
        """What the file says, as far as something here can read it; empty Facts for one that cannot be read at all."""
        try:
            file = PatientFile(path)
        except (OSError, ValueError):
            return Facts()
        with file:
            found = _library(mime)(file)
            if found is None and mime in _IMAGES:
                found = self._exiftool.read(path, file.fileno())
        return found or Facts()


def _library(mime: str) -> Callable[[PatientFile], Facts | None]:
    if mime in _CLIPS:
        return clips.read
    return pictures.read_tiff if mime in _BY_EXIFREAD else pictures.read
