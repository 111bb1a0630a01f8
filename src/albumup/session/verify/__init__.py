"""Is what was pushed on the server, and what lies in the folder now safe to erase? Proven, photo by photo.

Nothing is believed that the journal says of the server, nor what the system remembers of the disk; nothing is changed.
``there`` asks the server, ``here`` reads what lies in the folders. One call looks at one album.
"""
