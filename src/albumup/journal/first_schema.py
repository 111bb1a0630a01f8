"""The journal's tables and public views in the first version; later changes are in ``migrations``.

Never edit these statements. ``schema`` has the present version, and takes the parts from here that
have not changed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

_TABLES = """
create table target (
    id integer primary key,
    name text not null unique,
    definition text,                          -- JSON of a target given by --url; null: by config
    accepted_url text                         -- the address that has accepted a photo; null: none
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
    shown text,                               -- the path as text, where its bytes are not readable
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
    head blob,                                -- null: it holds the token, and is framed to be sent
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
create table sent_name (                      -- names sent, to servers that may overwrite by name
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
    -- JSON: targets it could not build, which a joiner perhaps can
    unbuilt text not null default '[]',
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
create table told (                           -- what retry-failed last told: cron mails only news
    what text primary key,
    words text not null
) without rowid;
create table tally (                          -- photos and bytes by state; kept by the triggers
    album_id integer not null references album on delete cascade,
    state text not null,
    photos integer not null,
    bytes integer not null,
    primary key (album_id, state)
) without rowid;

create unique index root_place on root (path, volume, (case volume when '' then device else 0 end));
create unique index photo_place
    on photo (album_id, path, volume, (case volume when '' then device else 0 end));
create index task_of_photo on task (photo_id);
create index task_unprepared on task (album_id, root_id, id)
    where state = 'pending' and prepared = 0;
create index task_ready on task (album_id, root_id, next_at, id)
    where state = 'pending' and prepared = 1;
create index task_sending on task (id) where state = 'sending';
create index task_doubt on task (album_id, ask_at) where state = 'in_doubt';
create index task_wanting on task (album_id, id)
    where state in ('failed', 'rejected', 'missing', 'in_doubt');
create index task_state on task (album_id, state, id) where state in ('cancelled', 'sending');
create index body_spool on body (spool) where spool is not null;
create index attempt_of_task on attempt (task_id, number);
create index notice_owed on notice (id) where delivered is null;
"""

TRIGGERS = """
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


def utc(column: str) -> str:
    """SQL that writes a Unix time as ISO 8601 in UTC, with milliseconds and a Z."""
    return f"strftime('%Y-%m-%dT%H:%M:%fZ', {column}, 'unixepoch')"


PATH = "coalesce(photo.shown, cast(photo.path as text))"
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
_BYTES_TOTAL = "coalesce(sum(case when tally.state <> 'cancelled' then tally.bytes end), 0)"
_BYTES_SENT = (
    "coalesce(sum(case when tally.state in ('uploaded', 'duplicate') then tally.bytes end), 0)"
)


def albums_view(also_unsettled: str = "") -> str:
    """SQL for the view of albums. ``also_unsettled``: a further condition of a settled album ("and
    not ...")."""
    return f"""
create view v_albums as
select album.name as album, target.name as target,
    not exists (select 1 from tally where tally.album_id = album.id and tally.photos > 0
        and tally.state in ('pending', 'sending'))
    and not exists (select 1 from task where task.album_id = album.id and task.state = 'in_doubt'
        and task.ask_at is not null){also_unsettled} as settled,
    album.held, album.share, {_COUNTS},
    json_object({_COUNTS_JSON}) as counts,
    json_object('total', {_BYTES_TOTAL}, 'sent', {_BYTES_SENT}) as bytes,
    {_BYTES_TOTAL} as bytes_total,
    {_BYTES_SENT} as bytes_sent,
    {utc("album.changed")} as changed
from album
join target on target.id = album.target_id
left join tally on tally.album_id = album.id
group by album.id;
"""


TASKS_VIEW = f"""
create view v_tasks as
select task.id, album.name as album, target.name as target,
    {PATH} as path, photo.path as path_raw, task.state, task.size,
    body.sha256, task.attempts, task.tries, task.maybe_twice, task.sent_as,
    nullif(task.reason, '') as error, task.remote_id, task.url,
    case when task.next_at > 0 then {utc("task.next_at")} end as next_at,
    {utc("task.updated")} as updated
from task
join photo on photo.id = task.photo_id
join album on album.id = task.album_id
join target on target.id = album.target_id
left join body on body.task_id = task.id;
"""
_FAILED_VIEW = """
create view v_failed as
select v_tasks.* from task join v_tasks on v_tasks.id = task.id
where task.state in ('failed', 'rejected', 'missing', 'in_doubt');
"""
ATTEMPTS_VIEW = f"""
create view v_attempts as
select attempt.task_id as task, album.name as album, target.name as target, {PATH} as path,
    attempt.number, {utc("attempt.started")} as started,
    {utc("attempt.whole_at")} as whole_at, {utc("attempt.ended")} as ended,
    attempt.outcome, attempt.http_status, attempt.bytes, attempt.error
from attempt
join task on task.id = attempt.task_id
join photo on photo.id = task.photo_id
join album on album.id = task.album_id
join target on target.id = album.target_id;
"""
THROUGHPUT_VIEW = """
create view v_throughput as
select album.name as album, strftime('%Y-%m-%dT%H:00:00Z', attempt.ended, 'unixepoch') as hour,
    count(*) as photos, sum(task.size) as bytes, sum(attempt.ended - attempt.started) as seconds
from attempt
join task on task.id = attempt.task_id
join album on album.id = task.album_id
where attempt.outcome = 'uploaded'
group by album.id, hour;
"""


_VIEWS = (TASKS_VIEW, _FAILED_VIEW, ATTEMPTS_VIEW, albums_view(), THROUGHPUT_VIEW)


def first(run: Callable[[str], object]) -> None:
    """Make a journal of the first version."""
    for part in (_TABLES, TRIGGERS, *_VIEWS):
        for statement in statements(part):
            run(statement)


def statements(script: str) -> list[str]:
    """Split an SQL script into its statements."""
    found: list[str] = []
    gathered = ""
    for line in script.splitlines(keepends=True):
        gathered += line
        if sqlite3.complete_statement(gathered):
            found.append(gathered.strip())
            gathered = ""
    return found
