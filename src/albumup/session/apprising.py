"""``python -m albumup.session.apprising``: hands a notice to apprise, in a process of its own.

Its input is JSON with ``urls``, ``title`` and ``body``. The addresses hold secrets, so no argument
has them. The exit code is 0 if all addresses took the notice.
"""

from __future__ import annotations

import json
import sys


def main() -> int:
    import apprise

    given = json.load(sys.stdin)
    service = apprise.Apprise()
    unknown = [url for url in given["urls"] if not service.add(url)]
    is_taken = service.notify(title=given["title"], body=given["body"])
    return 0 if is_taken and not unknown else 1


if __name__ == "__main__":
    sys.exit(main())
