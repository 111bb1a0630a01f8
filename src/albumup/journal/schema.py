"""The journal's tables and public views, as migrations: short, numbered, never edited once released.

Applied in one transaction by :func:`migrate`; ``user_version`` is the number of migrations a journal has seen.
docs/journal.md tells readers what the views promise.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

APPLICATION_ID = 0x616C6275
"""``PRAGMA application_id`` of every journal: the letters "albu"."""

_TABLES = """
create table target (
    id integer primary key,
    name text not null unique,
    definition text,                          -- JSON of a target given by --url; null: the config file defines it
    accepted_url text                         -- the address that has accepted a photo; null: none has
);
create table album (
    id integer primary key,
    name text not null,
    target_id integer not null references target,
    created real not null,
    changed real not null,
    held integer not null default 0,
    share text,                               -- its address for people
    unique (name, target_id)
);
create table root (
    id integer primary key,
    path blob not null,
    volume text not null,
    device integer not null,
    is_folder integer not null
);
create table photo (
    id integer primary key,
    album_id integer not null references album,
    root_id integer not null references root,
    path blob not null,
    volume text not null,
    shown text,                               -- the path as text, where the bytes alone would not be readable
    relative blob not null,
    mime text not null,
    size integer not null,
    mtime_ns integer not null,
    device integer not null                   -- tells volumes without a UUID apart
);
create table task (
    id integer primary key,
    photo_id integer not null references photo,
    album_id integer not null references album,
    root_id integer not null references root,
    state text not null default 'pending',
    reason text not null default '',
    size integer not null,
    prepared integer not null default 0,
    spool integer not null default 0,
    position integer not null,                -- {index} and {total} of the push that queued it
    total integer not null,
    tries integer not null default 0,         -- of the present set
    attempts integer not null default 0,      -- ever
    frees integer not null default 0,         -- tries given back because the line went
    rounds integer not null default 0,        -- fresh sets given by retry-failed
    next_at real not null default 0,
    ask_at real,
    maybe_twice integer not null default 0,
    sent_as text,
    remote_id text,
    url text,
    updated real not null
);
create table body (
    task_id integer primary key references task on delete cascade,
    head blob,                                -- null: framed while sending, because it holds the token
    tail blob not null,
    boundary text not null,
    content_type text not null,
    length integer,                           -- head + payload + tail, in bytes; null with head
    size integer not null,
    mtime_ns integer not null,
    inode integer not null,
    device integer not null,
    ctime_ns integer not null,
    sha256 text not null,
    sha1 text,
    md5 text,
    taken text,
    spool text                                -- the payload's copy in the spool folder
);
create table spool_folder (                   -- where copies were ever put
    path text primary key
) without rowid;
create table sent_name (                      -- names sent within one album, where the server may overwrite by name
    album_id integer not null references album,
    folded text not null,
    task_id integer not null references task on delete cascade,
    used integer not null default 0,          -- a whole body of other bytes went under it
    primary key (album_id, folded)
) without rowid;
create table attempt (
    id integer primary key,
    task_id integer not null references task on delete cascade,
    run_id integer not null,
    boundary text not null,                   -- of the body that was sent
    number integer not null,
    started real not null,
    whole_at real,                            -- durable before the last byte of the body leaves
    ended real,
    outcome text,
    http_status integer,
    bytes integer not null default 0,
    error text
);
create table run (
    id integer primary key,
    pid integer not null,
    started real not null,
    ended real,
    exit integer,
    unbuilt text not null default '[]',       -- JSON: targets it could not build, which a joiner perhaps can
    options text not null
);
create table scope (
    run_id integer not null references run on delete cascade,
    album_id integer not null references album on delete cascade,
    primary key (run_id, album_id)
) without rowid;
create table notice (
    id integer primary key,
    album_id integer not null references album on delete cascade,
    created real not null,
    summary text not null,                    -- JSON
    delivered real
);
create table told (                           -- what retry-failed last told, so that cron's mail has only news
    what text primary key,
    words text not null
) without rowid;
create table tally (                          -- photos and bytes by state; kept by the triggers below
    album_id integer not null references album on delete cascade,
    state text not null,
    photos integer not null,
    bytes integer not null,
    primary key (album_id, state)
) without rowid;

create unique index root_place on root (path, volume, (case volume when '' then device else 0 end));
create unique index photo_place on photo (album_id, path, volume, (case volume when '' then device else 0 end));
create index task_of_photo on task (photo_id);
create index task_unprepared on task (album_id, root_id, id) where state = 'pending' and prepared = 0;
create index task_ready on task (album_id, root_id, next_at, id) where state = 'pending' and prepared = 1;
create index task_sending on task (id) where state = 'sending';
create index task_doubt on task (album_id, ask_at) where state = 'in_doubt';
create index task_wanting on task (album_id, id) where state in ('failed', 'rejected', 'missing', 'in_doubt');
create index task_state on task (album_id, state, id) where state in ('cancelled', 'sending');
create index body_spool on body (spool) where spool is not null;
create index attempt_of_task on attempt (task_id, number);
create index notice_owed on notice (id) where delivered is null;
"""

_TRIGGERS = """
create trigger task_added after insert on task begin
    insert into tally values (new.album_id, new.state, 1, new.size)
        on conflict do update set photos = photos + 1, bytes = bytes + excluded.bytes;
end;
create trigger task_changed after update of state, size on task
    when old.state <> new.state or old.size <> new.size begin
    update tally set photos = photos - 1, bytes = bytes - old.size
        where album_id = old.album_id and state = old.state;
    insert into tally values (new.album_id, new.state, 1, new.size)
        on conflict do update set photos = photos + 1, bytes = bytes + excluded.bytes;
end;
create trigger task_dropped after delete on task begin
    update tally set photos = photos - 1, bytes = bytes - old.size
        where album_id = old.album_id and state = old.state;
end;
"""


def _utc(column: str) -> str:
    """SQL for a Unix time as ISO 8601 text in UTC, with milliseconds and a Z."""
    return f"strftime('%Y-%m-%dT%H:%M:%fZ', {column}, 'unixepoch')"


_PATH = "coalesce(photo.shown, cast(photo.path as text))"
_COUNT = {
    state: f"coalesce(max(case when tally.state = '{state}' then tally.photos end), 0)"
    for state in (
        "pending",
        "sending",
        "uploaded",
        "duplicate",
        "rejected",
        "failed",
        "in_doubt",
        "missing",
        "cancelled",
    )
}
_COUNTS = ", ".join(f"{count} as {state}" for state, count in _COUNT.items())
_COUNTS_JSON = ", ".join(f"'{state}', {count}" for state, count in _COUNT.items())


def _albums(also_unsettled: str = "") -> str:
    """SQL for the view of albums; ``also_unsettled``: what keeps one from being settled besides its tasks' states."""
    return f"""
create view v_albums as
select album.name as album, target.name as target,
    not exists (select 1 from tally where tally.album_id = album.id and tally.photos > 0
        and tally.state in ('pending', 'sending'))
    and not exists (select 1 from task where task.album_id = album.id and task.state = 'in_doubt'
        and task.ask_at is not null){also_unsettled} as settled,
    album.held, album.share, {_COUNTS},
    json_object({_COUNTS_JSON}) as counts,
    json_object('total', coalesce(sum(case when tally.state <> 'cancelled' then tally.bytes end), 0),
        'sent', coalesce(sum(case when tally.state in ('uploaded', 'duplicate') then tally.bytes end), 0)) as bytes,
    coalesce(sum(case when tally.state <> 'cancelled' then tally.bytes end), 0) as bytes_total,
    coalesce(sum(case when tally.state in ('uploaded', 'duplicate') then tally.bytes end), 0) as bytes_sent,
    {_utc("album.changed")} as changed
from album
join target on target.id = album.target_id
left join tally on tally.album_id = album.id
group by album.id;
"""


_VIEWS = f"""
create view v_tasks as
select task.id, album.name as album, target.name as target, {_PATH} as path, photo.path as path_raw, task.state,
    task.size, body.sha256, task.attempts, task.tries, task.maybe_twice, task.sent_as,
    nullif(task.reason, '') as error, task.remote_id, task.url,
    case when task.next_at > 0 then {_utc("task.next_at")} end as next_at, {_utc("task.updated")} as updated
from task
join photo on photo.id = task.photo_id
join album on album.id = task.album_id
join target on target.id = album.target_id
left join body on body.task_id = task.id;

create view v_failed as
select v_tasks.* from task join v_tasks on v_tasks.id = task.id
where task.state in ('failed', 'rejected', 'missing', 'in_doubt');

create view v_attempts as
select attempt.task_id as task, album.name as album, target.name as target, {_PATH} as path, attempt.number,
    {_utc("attempt.started")} as started, {_utc("attempt.whole_at")} as whole_at, {_utc("attempt.ended")} as ended,
    attempt.outcome, attempt.http_status, attempt.bytes, attempt.error
from attempt
join task on task.id = attempt.task_id
join photo on photo.id = task.photo_id
join album on album.id = task.album_id
join target on target.id = album.target_id;

{_albums()}
create view v_throughput as
select album.name as album, strftime('%Y-%m-%dT%H:00:00Z', attempt.ended, 'unixepoch') as hour,
    count(*) as photos, sum(task.size) as bytes, sum(attempt.ended - attempt.started) as seconds
from attempt
join task on task.id = attempt.task_id
join album on album.id = task.album_id
where attempt.outcome = 'uploaded'
group by album.id, hour;
"""


def _first(run: Callable[[str], object]) -> None:
    for part in (_TABLES, _TRIGGERS, _VIEWS):
        for statement in _statements(part):
            run(statement)


def _second(run: Callable[[str], object]) -> None:
    """Whoever drops a task looks for its names; without this, through all of them."""
    run("create index sent_name_of_task on sent_name (task_id)")


_SERVER_ALBUMS = """
alter table album add column remote_id text;                -- the server's own id of it
alter table album add column wants_share integer not null default 0;
alter table task add column owed integer not null default 0;  -- 1: stored, and its place in the server's album is owed
alter table task add column clip_id integer references task;  -- of a live photo's still: its clip
create index task_unasked on task (album_id, root_id, id) where state = 'pending' and prepared = 2;
create index task_unpaired on task (album_id, root_id, id) where state = 'pending' and prepared = 3;
create index task_owed on task (album_id, id) where owed = 1;
create index task_unplaced on task (album_id, id) where owed = 2;
create index task_of_clip on task (clip_id) where clip_id is not null;
create table sidecar (                        -- what a photo editor wrote beside a photo, and goes along with it
    task_id integer primary key references task on delete cascade,
    path blob not null,
    size integer not null,
    sha256 text,                              -- null: not read yet
    content blob,                             -- until it is sent
    sent integer not null default 0
);
create table pushed (                         -- what was named to be pushed to an album, photos in it or not
    album_id integer not null references album on delete cascade,
    root_id integer not null references root,
    primary key (album_id, root_id)
) without rowid;
drop view v_albums;
"""
_UNSETTLED = """
    and not exists (select 1 from task where task.album_id = album.id and task.owed = 1)
    and not (album.wants_share and album.share is null and exists (select 1 from tally
        where tally.album_id = album.id and tally.photos > 0 and tally.state in ('uploaded', 'duplicate')))"""


def _third(run: Callable[[str], object]) -> None:
    """Albums, share links, live photos and sidecars on servers that have them."""
    for statement in _statements(_SERVER_ALBUMS):
        run(statement)
    run(_albums(_UNSETTLED))


_SICK_TARGETS = """
alter table target add column sick_since real;              -- Unix seconds; null: it is well
alter table target add column sick_words text not null default '';
alter table target add column spent integer not null default 0;  -- photos that a pause has spent, of resend = "never"
alter table task add column back_whole integer not null default 0;  -- tries given back, ever: whole bodies,
alter table task add column back_cut integer not null default 0;    -- those cut in the middle,
alter table task add column back_429 integer not null default 0;    -- and those answered "too many requests"
create index task_held on task (id) where state = 'pending' and prepared = 5;
"""


def _untyped(table: str, column: str) -> str:
    """SQL that takes the type off a column: text in it stays text, and numbers beyond 63 bits are kept as that."""
    return f"""
alter table {table} rename column {column} to was;
alter table {table} add column {column};
update {table} set {column} = was;
alter table {table} drop column was;
"""


_CARDS = f"""
drop index root_place;
drop index photo_place;
alter table root add column card integer not null default 0;   -- tells cards apart that share an id, or have none
update root set card = device where volume = '';               -- so far by the number of the device
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
    target_id integer not null,                             -- which may be gone, if --url described it
    fingerprint text not null,                              -- of all that goes into request and body
    settings text not null,                                 -- JSON without a token: to ask about what is in doubt
    unique (target_id, fingerprint)
);
alter table target add column definition_id integer;       -- of its last run; null: none yet
alter table body add column definition_id integer;         -- null: framed before definitions were kept
alter table body add column earlier integer not null default 0;  -- attempts of the task that sent other bytes
update body set earlier = coalesce((select max(number) from attempt
    where attempt.task_id = body.task_id and attempt.boundary <> body.boundary), 0)
    where task_id in (select task_id from attempt);
create index body_definition on body (definition_id);
create index task_stale on task (album_id, root_id, id) where state = 'pending' and prepared = 4;
"""
_CONFIRMATION = """
alter table task add column alone integer not null default 0;  -- a still framed without its clip: 1, never joined: 2
alter table task add column seen_at real;                   -- its original was there, and is looked at again
"""
_NAMES = """
create table folder (                          -- of a server: names are unique in it, as far as it can be told apart
    id integer primary key,
    key text not null unique
);
alter table sent_name add column folder_id integer;  -- null: named before folders were told apart
create index sent_name_in_folder on sent_name (folder_id, folded) where folder_id is not null;
create table lasting_name (                    -- what albums that were forgotten may have left there
    folder_id integer not null,
    folded text not null,
    sha256 text not null,                     -- of the bytes that it names; empty: not known
    primary key (folder_id, folded, sha256)
) without rowid;
"""
_FORGOTTEN = """
create table forgotten (                      -- numbers of albums that were dropped: no other album gets them
    album_id integer primary key
);
"""


def _fourth(run: Callable[[str], object]) -> None:
    """Pauses that outlive a run, cards without an identity, definitions by album, and yes that is confirmed."""
    for script in (_SICK_TARGETS, _CARDS, _DEFINITIONS, _CONFIRMATION, _NAMES, _FORGOTTEN):
        for statement in _statements(script):
            run(statement)


_LIVE = """
alter table photo add column content_id text;              -- of a live photo; empty: it has none; null: never read
create index photo_live on photo (album_id, content_id) where content_id <> '';
create index photo_unheard on photo (album_id) where content_id is null and mime >= 'video/' and mime < 'video0';
"""


def _fifth(run: Callable[[str], object]) -> None:
    """Live photos whose halves come in different pushes."""
    for statement in _statements(_LIVE):
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
create index task_pending on task (album_id, prepared, root_id, next_at, id) where state = 'pending';
create index task_wanting on task (album_id, id)
    where (state = 'failed' or state = 'in_doubt' or state = 'missing' or state = 'rejected');
create index task_state on task (album_id, id) where state = 'cancelled';
drop view v_failed;
create view v_failed as
select v_tasks.* from task join v_tasks on v_tasks.id = task.id
where (task.state = 'failed' or task.state = 'in_doubt' or task.state = 'missing' or task.state = 'rejected');
"""


def _sixth(run: Callable[[str], object]) -> None:
    """A photo changes its state in a third of the time: fewer indexes follow it, and none tells by a list."""
    for statement in _statements(_FEWER_INDEXES):
        run(statement)


_WORDS = """
alter table task rename column prepared to stage;           -- of a task's way to its sending
alter table task rename column owed to membership;          -- of the server's album
alter table task rename column frees to refunds;            -- tries refunded because the line went
drop index task_owed;
drop index task_unplaced;
create index task_membership_pending on task (album_id, id) where membership = 1;
create index task_membership_refused on task (album_id, id) where membership = 2;
"""


def _seventh(run: Callable[[str], object]) -> None:
    """Columns are called what the program calls them; what they hold stays as it was."""
    for statement in _statements(_WORDS):
        run(statement)


MIGRATIONS: tuple[Callable[[Callable[[str], object]], None], ...] = (
    _first,
    _second,
    _third,
    _fourth,
    _fifth,
    _sixth,
    _seventh,
)
"""Each brings a journal from version N to N + 1, given a function that executes one SQL statement."""

VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a journal at ``version`` to ``VERSION`` in one transaction, stamping it as ours."""
    execute: Callable[[str], object] = connection.execute
    if version > 0:  # a new journal is made in less time than this takes to load
        from sqlite_utils import Database

        execute = Database(connection).execute
    execute("begin immediate")
    try:
        for migration in MIGRATIONS[version:]:
            migration(execute)
        execute(f"pragma application_id = {APPLICATION_ID}")
        execute(f"pragma user_version = {VERSION}")
        execute("commit")
    except BaseException:
        if connection.in_transaction:
            execute("rollback")
        raise


def _statements(script: str) -> list[str]:
    """The single statements of an SQL script."""
    found: list[str] = []
    gathered = ""
    for line in script.splitlines(keepends=True):
        gathered += line
        if sqlite3.complete_statement(gathered):
            found.append(gathered.strip())
            gathered = ""
    return found
