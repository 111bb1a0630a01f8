"""The statements for the steps of tasks, made from the tables in ``states``, and the conditions
that they share.

A step that the tables do not have cannot be written here: importing this module would fail.
"""

from __future__ import annotations

from albumup.journal.states import (
    DONE,
    WANTING,
    Membership,
    Stage,
    State,
    Together,
    change,
    is_asking,
    is_in,
    is_open,
    step,
    waits_at,
)

# States.


def _move(state: State) -> tuple[str, str]:
    sets, allowed = step(state)
    return f"update task set {sets}, reason = ?, updated = ?", f" where id = ? and {allowed}"


MOVE = {state: _move(state) for state in State}
"""The two halves of a step's statement; assignments of other columns go between them."""

START = "{}, attempts = attempts + 1{}{}".format(
    *MOVE[State.SENDING],
    f" and {is_in(Stage.READY)} and exists"
    " (select 1 from body where task_id = task.id and boundary = ?)",
)

IS_ASKING = is_asking()

# Stages.

IS_UNREAD, IS_READY, IS_UNASKED, IS_UNPAIRED = (
    waits_at(stage, "task") for stage in (Stage.UNREAD, Stage.READY, Stage.UNASKED, Stage.UNPAIRED)
)
AT_READY = is_in(Stage.READY, table="task")
IS_UNHELD = f"task.state = 'pending' and not {is_in(Stage.HELD, table='task')}"
_PENDING = "id = ? and state = 'pending'"
_UNFRAMED = (Stage.UNREAD, Stage.STALE)
FRAMED = {
    stage: change(
        stage,
        *_UNFRAMED,
        also="sent_as = ?, updated = ?",
        where=f"{_PENDING} and size = ?",
    )
    for stage in (Stage.READY, Stage.UNASKED)
}
"""A task gets its body; the photo has the size that the journal knows."""
FRAMED_AND_SIZE = {
    stage: change(
        stage,
        *_UNFRAMED,
        also="sent_as = ?, updated = ?, size = ?",
        where=_PENDING,
    )
    for stage in (Stage.READY, Stage.UNASKED)
}
"""A task gets its body; the photo has another size than the journal knows."""
ASKED = change(Stage.READY, Stage.UNASKED, where=f"{_PENDING} and clip_id is null")
ASKED_STILL = change(Stage.UNPAIRED, Stage.UNASKED, where=_PENDING)
PAIRED = change(Stage.READY, Stage.UNPAIRED, also="alone = ?", where=_PENDING)
PAIR_AGAIN = change(
    Stage.UNPAIRED,
    Stage.READY,
    also=f"alone = {Together.BY_SENDING:d}",
    where=f"id = ? and alone = {Together.NOT_YET:d}",
)
HOLD = change(Stage.HELD, Stage.READY)
UNHOLD = change(Stage.READY, Stage.HELD)
MAKE_STALE = change(Stage.STALE, Stage.READY, where=_PENDING)
WITHOUT_CLIP = f"update task set clip_id = null, alone = {Together.BY_SENDING:d} where id = ?"
FRAME_ANEW = change(Stage.STALE, Stage.READY)
"""In any state: if the photo is sent again, it is framed anew first."""
DEFINE = change(
    Stage.STALE,
    *(Stage.READY, Stage.UNASKED, Stage.UNPAIRED),
    where="state = 'pending' and album_id in (select id from album where target_id = ?)"
    " and (select definition_id from body where task_id = task.id) is not ?",
)
"""Tasks that were framed under another definition than their target has now become stale."""
START_AFRESH = change(
    Stage.UNREAD,
    also="tries = 0, refunds = 0, next_at = 0, maybe_twice = maybe_twice and exists"
    " (select 1 from attempt where task_id = task.id and outcome = 'in_doubt')",
    where=_PENDING,
)
MARK_TWICE = (
    "update task set maybe_twice = 1 where id = ?1"
    " or photo_id = (select photo_id from task where id = ?1) and not exists"
    " (select 1 from body join body own on own.task_id = ?1"
    " where body.task_id = task.id and body.sha256 <> own.sha256)"
)
"""A photo may be on the server twice: also by another task of it, unless that has other bytes."""
READ_AGAIN = change(
    Stage.UNREAD,
    where="id = ? and not exists"
    " (select 1 from body where task_id = task.id and spool is not null)",
)

# Memberships.

_STILL_IS_DONE = is_in(*DONE, table="still")
_HAS_STILL = (
    f"exists (select 1 from task still where still.clip_id = task.id and"
    f" ((still.alone = {Together.JOINED:d} and {_STILL_IS_DONE})"
    f" or (still.alone = {Together.BY_SENDING:d} and (still.state = 'uploaded'"
    " or (still.state = 'duplicate' and task.state = 'duplicate'))){}))"
)
"""A clip whose still is joined to it, or meets the condition that goes into the gap."""
_IS_PARTED = (
    f"({_STILL_IS_DONE} and still.remote_id not null and (still.alone = {Together.NOT_YET:d}"
    f" or (still.alone = {Together.BY_SENDING:d} and still.state = 'duplicate'"
    " and {0}.state = 'uploaded')))"
)
"""A still that was stored before its clip, and is to be joined to it; the clip's table goes into
the gap."""
STILL_IS_OPEN, CLIP_IS_OPEN = is_open("still"), is_open("clip")
MAY_BE_ONE = _HAS_STILL.format(f" or {STILL_IS_OPEN} or {_IS_PARTED.format('task')}")
IS_PARTED_CLIP = (
    f"{is_in(Membership.PENDING, table='clip')} and clip.remote_id not null"
    f" and {_IS_PARTED.format('clip')}"
)
IS_TO_BE_PLACED = is_in(Membership.PENDING, table="task")
_OF_CLIP = "id = (select clip_id from task where id = ?)"
_IN_ALBUM = "album_id = ?"
TO_PLACE = change(Membership.PENDING, Membership.SETTLED)
TO_PLACE_AGAIN = change(Membership.PENDING)
TO_PLACE_CLIP = change(
    Membership.PENDING,
    Membership.SETTLED,
    where=f"state = 'uploaded' and remote_id not null and {_OF_CLIP}",
)
REST_CLIPS = change(
    Membership.WAITING,
    Membership.PENDING,
    where="album_id = ? and exists (select 1 from task still where still.clip_id = task.id"
    f" and {is_in(*WANTING - {State.MISSING}, table='still')} and still.ask_at is null)",
)
WAKE_CLIP = change(Membership.PENDING, Membership.WAITING, where=_OF_CLIP)
DROP_CLIPS = change(
    Membership.SETTLED,
    Membership.PENDING,
    where=f"album_id = ? and {_HAS_STILL.format('')}",
)
CANCEL = change(Membership.SETTLED, Membership.PENDING, Membership.WAITING, where=_IN_ALBUM)
PLACE_ALL = change(
    Membership.PENDING,
    where=f"album_id = ? and {is_in(*DONE)} and remote_id is not null",
)
PLACE_CLIPS_AGAIN = change(
    Membership.PENDING,
    *(Membership.SETTLED, Membership.REFUSED),
    where="remote_id not null and id in"
    f" (select clip_id from task where album_id = ? and alone = {Together.REFUSED:d})",
)
PLACE_AGAIN = change(Membership.PENDING, Membership.REFUSED, where=_IN_ALBUM)
JOIN_AGAIN = (
    f"update task set alone = {Together.NOT_YET:d}"
    f" where album_id = ? and alone = {Together.REFUSED:d}"
)
PLACED = change(Membership.SETTLED, Membership.PENDING, also="reason = ?")
NOT_PLACED = change(Membership.REFUSED, Membership.PENDING, also="reason = ?")

HAS_COPY = (
    " and exists (select 1 from body where body.task_id = task.id and body.spool is not null)"
)
"""True of a task whose photo has a copy in the spool."""

UNSKIPPED = "task.id not in (select value from json_each(?))"
"""True of a task whose id is not in the JSON list."""
