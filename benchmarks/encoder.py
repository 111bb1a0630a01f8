"""The usual way in Python: requests with requests-toolbelt's MultipartEncoder, one session.

python encoder.py URL FILE...
"""

from __future__ import annotations

import os
import sys

import requests
from requests_toolbelt import MultipartEncoder

if __name__ == "__main__":
    url, *paths = sys.argv[1:]
    session = requests.Session()
    for path in paths:
        with open(path, "rb") as file:
            body = MultipartEncoder({"file": (os.path.basename(path), file, "image/jpeg")})
            session.post(
                url, data=body, headers={"Content-Type": body.content_type}
            ).raise_for_status()
