"""The migrations that bring older journals to the present schema. Never edit one that was released.

:func:`migrate` applies them in one transaction; ``user_version`` is the number of migrations that a
journal has had.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from albumup.journal import schema
from albumup.journal.first_schema import albums_view, first, statements

APPLICATION_ID = 0x616C6275
"""``PRAGMA application_id`` of every journal: the letters "albu"."""


def _second(run: Callable[[str], object]) -> None:
    """An index for dropping tasks: each looks for its names, and would scan all names."""
    run("create index sent_name_of_task on sent_name (task_id)")


_SERVER_ALBUMS = """
alter table album add column remote_id text;                -- the server's own id of it
alter table album add column wants_share integer not null default 0;
-- 1: stored, and its place in the server's album is owed
alter table task add column owed integer not null default 0;
-- of a live photo's still: its clip
alter table task add column clip_id integer references task;
create index task_unasked on task (album_id, root_id, id)
    where state = 'pending' and prepared = 2;
create index task_unpaired on task (album_id, root_id, id)
    where state = 'pending' and prepared = 3;
create index task_owed on task (album_id, id) where owed = 1;
create index task_unplaced on task (album_id, id) where owed = 2;
create index task_of_clip on task (clip_id) where clip_id is not null;
create table sidecar (                        -- an editor's file beside a photo, sent along with it
    task_id integer primary key references task on delete cascade,
    path blob not null,
    size integer not null,
    sha256 text,                              -- null: not read yet
    content blob,                             -- until it is sent
    sent integer not null default 0
);
create table pushed (                         -- the roots of an album's pushes, even without photos
    album_id integer not null references album on delete cascade,
    root_id integer not null references root,
    primary key (album_id, root_id)
) without rowid;
drop view v_albums;
"""
_UNSETTLED = """
    and not exists (select 1 from task where task.album_id = album.id and task.owed = 1)
    and not (album.wants_share and album.share is null
        and exists (select 1 from tally where tally.album_id = album.id and tally.photos > 0
            and tally.state in ('uploaded', 'duplicate')))"""


def _third(run: Callable[[str], object]) -> None:
    """Albums, share links, live photos and sidecars on servers that have them."""
    for statement in statements(_SERVER_ALBUMS):
        run(statement)
    run(albums_view(_UNSETTLED))


_SICK_TARGETS = """
alter table target add column sick_since real;              -- Unix seconds; null: it is well
alter table target add column sick_words text not null default '';
-- photos that a pause with resend = "never" has spent
alter table target add column spent integer not null default 0;
-- tries given back, ever: whole bodies, those cut in the middle, those answered with 429
alter table task add column back_whole integer not null default 0;
alter table task add column back_cut integer not null default 0;
alter table task add column back_429 integer not null default 0;
create index task_held on task (id) where state = 'pending' and prepared = 5;
"""


def _untyped(table: str, column: str) -> str:
    """SQL that removes a column's type, so that it can hold numbers beyond 63 bits as text."""
    return f"""
alter table {table} rename column {column} to was;
alter table {table} add column {column};
update {table} set {column} = was;
alter table {table} drop column was;
"""


_CARDS = f"""
drop index root_place;
drop index photo_place;
-- tells cards apart that share an id, or have none; so far the number of the device
alter table root add column card integer not null default 0;
update root set card = device where volume = '';
alter table root drop column device;
alter table photo add column card integer not null default 0;
update photo set card = device where volume = '';
alter table photo drop column device;
alter table body drop column device;
create unique index root_place on root (path, volume, card);
create unique index photo_place on photo (album_id, path, volume, card);
{_untyped("photo", "mtime_ns")}
{_untyped("body", "mtime_ns")}
{_untyped("body", "inode")}
{_untyped("body", "ctime_ns")}
alter table photo add column inode;                         -- null: never looked at
update photo set inode = (select body.inode from task join body on body.task_id = task.id
    where task.photo_id = photo.id order by task.id desc limit 1);
"""
_DEFINITIONS = """
create table definition (                                  -- what bodies were framed under
    id integer primary key,
    target_id integer not null,                             -- may be gone, if --url described it
    fingerprint text not null,                              -- of all that goes into a request
    settings text not null,                                 -- JSON without a token: for doubts
    unique (target_id, fingerprint)
);
alter table target add column definition_id integer;       -- of its last run; null: none yet
alter table body add column definition_id integer;         -- null: framed before there were any
-- attempts of the task that sent other bytes
alter table body add column earlier integer not null default 0;
update body set earlier = coalesce((select max(number) from attempt
    where attempt.task_id = body.task_id and attempt.boundary <> body.boundary), 0)
    where task_id in (select task_id from attempt);
create index body_definition on body (definition_id);
create index task_stale on task (album_id, root_id, id)
    where state = 'pending' and prepared = 4;
"""
_CONFIRMATION = """
-- a still framed without its clip: 1, never joined: 2
alter table task add column alone integer not null default 0;
-- its original was there, and is looked at again
alter table task add column seen_at real;
"""
_NAMES = """
create table folder (                         -- a folder on a server, in which names are unique
    id integer primary key,
    key text not null unique
);
alter table sent_name add column folder_id integer;  -- null: named before folders were told apart
create index sent_name_in_folder on sent_name (folder_id, folded) where folder_id is not null;
create table lasting_name (                   -- names that forgotten albums may have left there
    folder_id integer not null,
    folded text not null,
    sha256 text not null,                     -- of the bytes that it names; empty: not known
    primary key (folder_id, folded, sha256)
) without rowid;
"""
_FORGOTTEN = """
create table forgotten (                      -- ids of dropped albums, which no other album gets
    album_id integer primary key
);
"""


def _fourth(run: Callable[[str], object]) -> None:
    """Pauses that outlive a run, cards without an id, definitions, confirmed answers, names that
    last."""
    for script in (_SICK_TARGETS, _CARDS, _DEFINITIONS, _CONFIRMATION, _NAMES, _FORGOTTEN):
        for statement in statements(script):
            run(statement)


_LIVE = """
-- of a live photo; empty: it has none; null: never read
alter table photo add column content_id text;
create index photo_live on photo (album_id, content_id) where content_id <> '';
create index photo_unheard on photo (album_id)
    where content_id is null and mime >= 'video/' and mime < 'video0';
"""


def _fifth(run: Callable[[str], object]) -> None:
    """Live photos whose halves come in separate pushes."""
    for statement in statements(_LIVE):
        run(statement)


_FEWER_INDEXES = """
drop index task_unprepared;
drop index task_ready;
drop index task_unasked;
drop index task_unpaired;
drop index task_stale;
drop index task_held;
drop index task_sending;
drop index task_state;
drop index task_wanting;
create index task_pending on task (album_id, prepared, root_id, next_at, id)
    where state = 'pending';
create index task_wanting on task (album_id, id)
    where (state = 'failed' or state = 'in_doubt' or state = 'missing' or state = 'rejected');
create index task_state on task (album_id, id) where state = 'cancelled';
drop view v_failed;
create view v_failed as
select v_tasks.* from task join v_tasks on v_tasks.id = task.id
where (task.state = 'failed' or task.state = 'in_doubt'
    or task.state = 'missing' or task.state = 'rejected');
"""


def _sixth(run: Callable[[str], object]) -> None:
    """Fewer indexes of tasks, none with an IN list: a change of state takes a third of the time."""
    for statement in statements(_FEWER_INDEXES):
        run(statement)


_WORDS = """
alter table task rename column prepared to stage;           -- of a task's way to its sending
alter table task rename column owed to membership;          -- of the server's album
alter table task rename column frees to refunds;            -- tries refunded because the line went
drop index task_owed;
drop index task_unplaced;
create index task_membership_pending on task (album_id, id) where membership = 1;
create index task_membership_refused on task (album_id, id) where membership = 2;
update attempt set outcome = 'wrong_address' where outcome = 'astray';
"""


def _seventh(run: Callable[[str], object]) -> None:
    """Columns, and one outcome, get the names that the program uses."""
    for statement in statements(_WORDS):
        run(statement)


_UNATTENDED = """
alter table target add column unreachable_told real;  -- when a notice said that it does not work
alter table target add column server text not null default '';  -- by what it is known
alter table run add column watched integer not null default 1;  -- somebody sees how it ends
alter table run add column detached integer not null default 0;  -- no terminal's end is its own
alter table scope add column has_heir integer not null default 0;  -- another process goes on
drop index notice_owed;
alter table notice rename to former_notice;
create table notice (
    id integer primary key,
    key text not null unique,                 -- what receivers know it by, in hexadecimal digits
    cause text not null,                      -- settled, stopped, unreachable, well
    album_id integer references album on delete cascade,
    target text not null default '',
    created real not null,
    summary text not null,                    -- JSON
    claimed_by integer,                       -- the process that is delivering it,
    claimed_at real,                          -- since when
    handed_over real,                         -- when the config's channels were done with it
    fault text not null default '',           -- why one of them did not
    delivered real                            -- null: the user was not told
);
insert into notice (id, key, cause, album_id, target, created, summary, handed_over, delivered)
    select former_notice.id, lower(hex(randomblob(8))), 'settled', album_id, target.name,
        former_notice.created, summary, delivered, delivered
    from former_notice join album on album.id = album_id join target on target.id = target_id;
drop table former_notice;
create index notice_owed on notice (id) where delivered is null;
create table instruction (                    -- what another command wants of a run that is on
    id integer primary key,
    run_id integer not null references run on delete cascade,
    kind text not null,                       -- stop, stop_now, change
    album_id integer,                         -- null: the whole run
    value text not null default '',           -- JSON, of a change
    given real not null,
    seen real                                 -- when the run took it over
);
create index instruction_unseen on instruction (run_id, id) where seen is null;
"""


def _eighth(run: Callable[[str], object]) -> None:
    """Notices of more causes, and instructions to a run from other commands."""
    for statement in statements(_UNATTENDED):
        run(statement)


MIGRATIONS: tuple[Callable[[Callable[[str], object]], None], ...] = (
    first,
    _second,
    _third,
    _fourth,
    _fifth,
    _sixth,
    _seventh,
    _eighth,
)
"""Each brings a journal from version N to N + 1, given a function that executes one SQL
statement."""

VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a journal at ``version`` to ``VERSION`` in one transaction, and mark it as ours.

    An empty journal (version 0) is made from ``schema``, in a tenth of the time of all migrations.
    """
    execute: Callable[[str], object] = connection.execute
    if version > 0:
        from sqlite_utils import Database

        execute = Database(connection).execute
    execute("begin immediate")
    try:
        for make in MIGRATIONS[version:] if version else (schema.make,):
            make(execute)
        execute(f"pragma application_id = {APPLICATION_ID}")
        execute(f"pragma user_version = {VERSION}")
        execute("commit")
    except BaseException:
        if connection.in_transaction:
            execute("rollback")
        raise
