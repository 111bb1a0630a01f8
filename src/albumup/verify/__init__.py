"""Is what was pushed on the server, and what lies in the folder now safe to erase? Proven, photo by photo.

Nothing is believed that the journal says of the server, nor what the system remembers of the disk; nothing is changed.
``there`` asks the server, ``here`` reads what lies in the folders. One call looks at one album.
"""

from __future__ import annotations

from albumup.verify.findings import Copy, Finding, Kind, Outcome, There
from albumup.verify.here import is_by_name, look_here, pushed_folders
from albumup.verify.there import Copies, look_there

__all__ = [
    "Copies",
    "Copy",
    "Finding",
    "Kind",
    "Outcome",
    "There",
    "is_by_name",
    "look_here",
    "look_there",
    "pushed_folders",
]
