"""A server of somebody else's, which notes what it is shown."""

from __future__ import annotations

from collections.abc import Mapping

from servers import Line, Server, answer


class Stranger(Server):
    """``said``: its answers by path, all others are a 404; with ``headers``.

    ``loses_photos``: it takes a photo, and hangs up without an answer; ``dies_of_a_photo``: and is
    never heard of again.
    """

    def __init__(
        self,
        said: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
        *,
        loses_photos: bool = False,
        dies_of_a_photo: bool = False,
    ) -> None:
        self.headers = dict(headers or {})
        self.on_request = lambda: None
        """Called when a request was answered."""
        self.paths: list[str] = []
        self.shown: list[str] = []
        self.is_dead = False
        self.said = dict(said)
        self._loses_photos, self._dies_of_a_photo = loses_photos, dies_of_a_photo
        super().__init__()

    def serve(self, line: Line, _number: int) -> None:
        while True:
            head = line.take_head()
            line.take_body()
            self.is_dead = self.is_dead or (self._dies_of_a_photo and head.method == "POST")
            if self.is_dead:
                return
            self.paths.append(head.target)
            if self._loses_photos and head.target.endswith("/photos"):
                return
            self.shown.append(head.raw.decode("latin-1"))
            found = self.said.get(head.target)
            said = {"error": "nothing here"} if found is None else found
            answer(404 if found is None else 200, said, list(self.headers.items()))(line)
            self.on_request()
