"""What a receiver says at its end."""

import pytest

from albumup.cli.receive import received
from albumup.receive.store import Stored, Tally


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (1, " 1 came again, and is there only once."),
        (3, " Photos came again 3 times, and are there only once."),
    ],
)
def test_a_photo_that_came_again_twice_is_not_called_two(times: int, said: str) -> None:
    tally = Tally()
    tally.note(Stored("trip", "a.jpg", "0" * 64, True), 1000)
    for _ in range(times):
        tally.note(Stored("trip", "a.jpg", "0" * 64, False), 1000)
    assert received(tally, None) == ["Received 1 photo (1.0 kB) into trip." + said]
