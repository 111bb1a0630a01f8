"""What a media file says of itself: when it was taken, and which live photo it is a part of.

Everything in a file is somebody else's word: readers see headers only, of a regular file, for so many seconds and bytes
as ``patience`` grants, and nothing they find wrong comes out as an error. Libraries go first (extra ``photos``);
exiftool, where it is on PATH, reads what they cannot.
"""

from albumup.facts.reader import INSTALL_PHOTOS, FactsReader, can_read, what_reads
from albumup.facts.values import Facts

__all__ = ["INSTALL_PHOTOS", "Facts", "FactsReader", "can_read", "what_reads"]
