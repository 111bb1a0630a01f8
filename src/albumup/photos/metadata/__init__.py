"""Reads the metadata of a media file: its capture date, and the live photo it is a part of.

Files are not trusted. Readers get regular files only, read headers only, and are bounded in seconds
and bytes by ``bounded_file``; a broken file never raises an error. Libraries come first (extra
``photos``); exiftool, if it is on PATH, reads what they cannot.
"""
