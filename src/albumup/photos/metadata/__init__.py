"""What a media file says of itself: when it was taken, and which live photo it is a part of.

Everything in a file is somebody else's word: readers see headers only, of a regular file, for so many seconds and bytes
as ``bounded_file`` grants, and nothing they find wrong comes out as an error. Libraries go first (extra ``photos``);
exiftool, where it is on PATH, reads what they cannot.
"""
