"""What cron mails in a week, and what notices there are: only news, and each once."""

from __future__ import annotations

from pathlib import Path

import pytest
from short import short_form
from week import HELD, HOPELESS, MONDAY, Week, when

ROUNDS = ("next in 15 min", "next in 1 h", "next in 6 h", "next in 24 h", "the last one")
AGAIN = "Again: albumup retry-failed trip"
AT_LAST = "It stays failed until: albumup retry-failed trip"
FAR_DOWN = """\
far: connection reset; given up for now, try again later
far: 2 waiting
Go on with: albumup resume far    (exit 75)
"""
REFUSED = """\
keyed: refused: 401 Unauthorized
Its token is in ~/token (~/config/albumup/config.toml: targets.keyed.token_file): put one there \
that it takes, then: albumup resume (to look first: albumup target check keyed)
keyed: 2 waiting
Go on with: albumup resume keyed    (exit 4)
"""
FAR_WELL, KEYED_WELL = "far: 2 sent\n", "keyed: 2 sent\n"


def hopeless(number: int, code: int = 3) -> str:
    """What is mailed after so many rounds of the photo that its server refuses."""
    return f"""\
  IMG_{HOPELESS}.JPG  failed    500 Internal Server Error, gave up after 1 try
trip: 1 photo failed again (round {number} of 5, {ROUNDS[number - 1]})
{AT_LAST if number == 5 else AGAIN}
Details: albumup list trip --state failed    (exit {code})
"""


MAIL = {
    2: [
        ("Mon 00:15", 3, hopeless(1)),
        ("Mon 00:30", 3, hopeless(2)),
        ("Mon 01:30", 3, hopeless(3)),
        ("Mon 06:15", 75, FAR_DOWN),
        ("Mon 07:30", 75, hopeless(4, 75)),
        ("Tue 07:30", 75, hopeless(5, 75)),
        ("Tue 12:15", 3, FAR_WELL),
        ("Tue 18:15", 4, REFUSED),
        ("Tue 20:15", 3, KEYED_WELL),
    ],
    7: [
        ("Mon 00:15", 3, hopeless(1)),
        ("Mon 00:30", 3, hopeless(2)),
        ("Mon 01:30", 3, hopeless(3)),
        ("Mon 07:30", 3, hopeless(4)),
        ("Tue 06:15", 75, FAR_DOWN),
        ("Tue 07:30", 75, hopeless(5, 75)),
        ("Thu 06:15", 3, FAR_WELL),
        ("Fri 09:15", 4, REFUSED),
        ("Fri 14:15", 3, KEYED_WELL),
    ],
}
PUSHED = [
    "settled: garden: 3 photos sent",
    "settled: trip: 2 photos sent, 1 not",
    "settled: far: 1 photo sent",
    "settled: keyed: 1 photo sent",
]


@pytest.mark.parametrize("days", short_form([2, 7], 0))
def test_cron_mails_only_news_and_each_notice_comes_once(tmp_path: Path, days: int) -> None:
    week = Week(tmp_path)
    with week.begun():
        week.run(days)
    home = week.home
    said = [
        (when(one.at)[:9], one.code, one.said.replace(str(home.folder), "~")) for one in week.mail()
    ]
    assert said == MAIL[days]
    notices = week.notices()
    dead = {2: "30 h", 7: "2 days"}[days]
    assert [f"{one['cause']}: {one['words']}" for one in notices] == [
        *PUSHED,
        "unreachable: far has not worked for 24 h: connection reset",
        f"well: far works again, after {dead}",
        "settled: far: 3 photos sent",
        "stopped: keyed: refused: 401 Unauthorized",
        "settled: keyed: 3 photos sent",
    ]
    assert len({one["id"] for one in notices}) == len(notices)
    assert home.sql("select count(*) from notice where delivered is null") == [(0,)]

    assert len(week.turns) == days * 96
    refused = "select count(*) from v_attempts where outcome = 'not_taken' and path like ?"
    assert home.sql(refused, f"%IMG_{HOPELESS}.JPG") == [(6,)], "once, and in five rounds"
    assert home.states()[f"IMG_{HOPELESS}.JPG"] == "failed"
    tries = week.club.requests.count(f"IMG_{HELD}.JPG")
    assert tries == 1, "an album on hold is left alone"
    assert home.states()[f"IMG_{HELD}.JPG"] == "pending"
    done = [name for name, state in home.states().items() if state == "uploaded"]
    assert len(done) == 3 + 2 + 3 + 3
    ends = home.sql("select min(started), max(ended) from run") + home.sql(
        "select min(created), max(delivered) from notice"
    )
    times = [at for row in ends for at in row]
    assert all(MONDAY <= at <= MONDAY + (days + 1) * 86400 for at in times), "another clock"
