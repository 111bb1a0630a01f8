"""The journal's tables and public views, from which a new journal is made.

``migrations`` brings older journals to the same schema; a test compares. docs/journal.md describes
the views.
"""

from __future__ import annotations

from collections.abc import Callable

from albumup.journal.first_schema import (
    ATTEMPTS_VIEW,
    TASKS_VIEW,
    THROUGHPUT_VIEW,
    TRIGGERS,
    albums_view,
    statements,
)

_ALBUMS = """
create table target (
    id integer primary key,
    name text not null unique,
    definition text,                          -- JSON of a target given by --url; null: by config
    accepted_url text,                        -- the address that has accepted a photo; null: none
    sick_since real,                          -- Unix seconds; null: the target is well
    sick_words text not null default '',
    spent integer not null default 0,         -- photos that a pause with resend = "never" has spent
    definition_id integer,                    -- of the last run; null: no run yet
    unreachable_told real,                    -- when a notice said that it does not work
    server text not null default ''           -- by what a server of several addresses is known
);
create table definition (                     -- settings under which bodies were framed
    id integer primary key,
    target_id integer not null,               -- the target may be gone, if --url described it
    fingerprint text not null,                -- of everything that goes into request and body
    settings text not null,                   -- JSON without a token, for asking about doubts
    unique (target_id, fingerprint)
);
create table album (
    id integer primary key,
    name text not null,
    target_id integer not null references target,
    created real not null,
    changed real not null,
    held integer not null default 0,
    share text,                               -- URL of the share link or page
    remote_id text,                           -- the server's id of the album
    wants_share integer not null default 0,
    unique (name, target_id)
);
create table forgotten (                      -- ids of dropped albums, which no other album gets
    album_id integer primary key
);
create table pushed (                         -- the roots of an album's pushes, even without photos
    album_id integer not null references album on delete cascade,
    root_id integer not null references root,
    primary key (album_id, root_id)
) without rowid;
create table tally (                          -- photos and bytes by state; kept by the triggers
    album_id integer not null references album on delete cascade,
    state text not null,
    photos integer not null,
    bytes integer not null,
    primary key (album_id, state)
) without rowid;
"""
_PHOTOS = """
create table root (
    id integer primary key,
    path blob not null,
    volume text not null,
    is_folder integer not null,
    card integer not null default 0           -- tells cards apart that share an id, or have none
);
create table photo (
    id integer primary key,
    album_id integer not null references album,
    root_id integer not null references root,
    path blob not null,
    volume text not null,
    shown text,                               -- the path as text, if its bytes are not printable
    relative blob not null,
    mime text not null,
    size integer not null,
    card integer not null default 0,
    mtime_ns,                                 -- no type: numbers beyond 63 bits are text
    inode,                                    -- null: not known
    content_id text                           -- of a live photo; empty: none; null: not read yet
);
create table task (
    id integer primary key,
    photo_id integer not null references photo,
    album_id integer not null references album,
    root_id integer not null references root,
    state text not null default 'pending',
    reason text not null default '',
    size integer not null,
    stage integer not null default 0,         -- on its way to being sent
    spool integer not null default 0,
    position integer not null,                -- {index} and {total} of the push that queued it
    total integer not null,
    tries integer not null default 0,         -- of the present set
    attempts integer not null default 0,      -- ever
    refunds integer not null default 0,       -- tries refunded because the line broke
    rounds integer not null default 0,        -- fresh sets given by retry-failed
    next_at real not null default 0,
    ask_at real,
    maybe_twice integer not null default 0,
    sent_as text,
    remote_id text,
    url text,
    updated real not null,
    membership integer not null default 0,    -- in the server's album
    clip_id integer references task,          -- for a live photo's still: the task of its clip
    back_whole integer not null default 0,    -- tries given back, ever: whole bodies,
    back_cut integer not null default 0,      -- those cut in the middle,
    back_429 integer not null default 0,      -- and those answered "too many requests"
    alone integer not null default 0,         -- how a still is joined to its clip
    seen_at real                              -- when the original was first seen there
);
create table sidecar (                        -- an editor's file beside a photo, sent along with it
    task_id integer primary key references task on delete cascade,
    path blob not null,
    size integer not null,
    sha256 text,                              -- null: not read yet
    content blob,                             -- until it is sent
    sent integer not null default 0
);
"""
_SENDING = """
create table body (
    task_id integer primary key references task on delete cascade,
    head blob,                                -- null: it holds the token, and is framed to be sent
    tail blob not null,
    boundary text not null,
    content_type text not null,
    length integer,                           -- head + payload + tail, in bytes; null with head
    size integer not null,
    sha256 text not null,
    sha1 text,
    md5 text,
    taken text,
    spool text,                               -- the payload's copy in the spool folder
    mtime_ns,
    inode,
    ctime_ns,
    definition_id integer,                    -- null: framed before definitions were kept
    earlier integer not null default 0        -- attempts before these bytes, which sent others
);
create table spool_folder (                   -- folders that ever held copies
    path text primary key
) without rowid;
create table folder (                         -- a folder on a server, in which names are unique
    id integer primary key,
    key text not null unique
);
create table sent_name (                      -- names sent, to servers that may overwrite by name
    album_id integer not null references album,
    folded text not null,
    task_id integer not null references task on delete cascade,
    used integer not null default 0,          -- a whole body of other bytes was sent under it
    folder_id integer,                        -- null: named before folders were told apart
    primary key (album_id, folded)
) without rowid;
create table lasting_name (                   -- names that forgotten albums may have left there
    folder_id integer not null,
    folded text not null,
    sha256 text not null,                     -- of the bytes under the name; empty: not known
    primary key (folder_id, folded, sha256)
) without rowid;
create table attempt (
    id integer primary key,
    task_id integer not null references task on delete cascade,
    run_id integer not null,
    boundary text not null,                   -- of the body that was sent
    number integer not null,
    started real not null,
    whole_at real,                            -- durable before the last byte of the body is sent
    ended real,
    outcome text,
    http_status integer,
    bytes integer not null default 0,
    error text
);
"""
_RUNS = """
create table run (
    id integer primary key,
    pid integer not null,
    started real not null,
    ended real,
    exit integer,
    -- JSON: targets that the run could not build, but a joiner perhaps can
    unbuilt text not null default '[]',
    options text not null,
    watched integer not null default 1,       -- somebody sees how it ends
    detached integer not null default 0       -- no terminal's end is its own
);
create table scope (
    run_id integer not null references run on delete cascade,
    album_id integer not null references album on delete cascade,
    has_heir integer not null default 0,      -- another process goes on when the run ends early
    primary key (run_id, album_id)
) without rowid;
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
create table instruction (                    -- what another command wants of a run that is on
    id integer primary key,
    run_id integer not null references run on delete cascade,
    kind text not null,                       -- stop, stop_now, change
    album_id integer,                         -- null: the whole run
    value text not null default '',           -- JSON, of a change
    given real not null,
    seen real                                 -- when the run took it over
);
create table told (                           -- what retry-failed last told: cron mails only news
    what text primary key,
    words text not null
) without rowid;
"""
# Each index of tasks costs time whenever a task changes. So there are few, and none has an IN list
# in its condition.
_INDEXES = """
create unique index root_place on root (path, volume, card);
create unique index photo_place on photo (album_id, path, volume, card);
create index photo_live on photo (album_id, content_id) where content_id <> '';
create index photo_unheard on photo (album_id)
    where content_id is null and mime >= 'video/' and mime < 'video0';
create index task_of_photo on task (photo_id);
create index task_of_clip on task (clip_id) where clip_id is not null;
create index task_pending on task (album_id, stage, root_id, next_at, id) where state = 'pending';
create index task_doubt on task (album_id, ask_at) where state = 'in_doubt';
create index task_wanting on task (album_id, id)
    where (state = 'failed' or state = 'in_doubt' or state = 'missing' or state = 'rejected');
create index task_state on task (album_id, id) where state = 'cancelled';
create index task_membership_pending on task (album_id, id) where membership = 1;
create index task_membership_refused on task (album_id, id) where membership = 2;
create index body_spool on body (spool) where spool is not null;
create index body_definition on body (definition_id);
create index attempt_of_task on attempt (task_id, number);
create index sent_name_of_task on sent_name (task_id);
create index sent_name_in_folder on sent_name (folder_id, folded) where folder_id is not null;
create index notice_owed on notice (id) where delivered is null;
create index instruction_unseen on instruction (run_id, id) where seen is null;
"""
_FAILED_VIEW = """
create view v_failed as
select v_tasks.* from task join v_tasks on v_tasks.id = task.id
where (task.state = 'failed' or task.state = 'in_doubt'
    or task.state = 'missing' or task.state = 'rejected');
"""
_UNSETTLED = """
    and not exists (select 1 from task where task.album_id = album.id and task.membership = 1)
    and not (album.wants_share and album.share is null
        and exists (select 1 from tally where tally.album_id = album.id and tally.photos > 0
            and tally.state in ('uploaded', 'duplicate')))"""

_TABLES = (_ALBUMS, _PHOTOS, _SENDING, _RUNS, _INDEXES, TRIGGERS)
_VIEWS = (TASKS_VIEW, _FAILED_VIEW, ATTEMPTS_VIEW, albums_view(_UNSETTLED), THROUGHPUT_VIEW)


def make(run: Callable[[str], object]) -> None:
    """Make a journal of the present version; ``run`` executes one SQL statement."""
    for part in (*_TABLES, *_VIEWS):
        for statement in statements(part):
            run(statement)
