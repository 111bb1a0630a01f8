"""What a push says of the files that it does not queue."""

import pytest

from albumup.cli.queued import left_out
from albumup.session.survey import Survey


@pytest.mark.parametrize(("count", "them"), [(1, "it"), (2, "them")])
def test_what_was_cancelled_is_called_one_or_many(count: int, them: str) -> None:
    said = f"{count} cancelled earlier and left so (to send {them}: albumup forget, then push)"
    assert left_out(Survey(cancelled_before=count)) == [said]
