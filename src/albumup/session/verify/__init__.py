"""Proves, photo by photo, that an album is on its server, and its folders safe to erase.

Neither the journal's word about the server nor the system's page cache is trusted, and nothing is
changed. ``there`` asks the server, ``here`` reads the folders. One call looks at one album.
"""
