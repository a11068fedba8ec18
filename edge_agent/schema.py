"""The tables of the agent's file. Instants are integer microseconds since 1970, bodies msgpack."""

SCHEMA = """
create table if not exists meta (name text primary key, value text not null) strict, without rowid;

create table if not exists charges (
    session_id text primary key, connector_id text not null, is_open integer not null,
    at integer not null, body blob not null) strict;
create index if not exists charges_open on charges (is_open) where is_open = 1;
create index if not exists charges_closed on charges (at) where is_open = 0;

-- What a session's start was answered, for ever; a session that was stopped before it began is refused here.
create table if not exists starts (session_id text primary key, reply blob not null) strict, without rowid;

create table if not exists commands (
    command_id text primary key, at integer not null, result blob not null) strict, without rowid;

-- `number` is given when an item is first offered to the gateway, so that what was never offered can still be
-- dropped for want of room without leaving a gap. Delivered bills stay a while, everything else is deleted.
create table if not exists spool (
    seq integer primary key autoincrement, stream text not null, number integer,
    kind text not null, subject text not null, weight integer not null, at integer not null,
    is_delivered integer not null default 0, body blob not null) strict;
create unique index if not exists spool_numbers on spool (stream, number) where number is not null;
create index if not exists spool_unnumbered on spool (stream, seq) where number is null and is_delivered = 0;
create index if not exists spool_delivered on spool (at) where is_delivered = 1;

-- How far each stream is numbered, and acknowledged.
create table if not exists streams (
    stream text primary key, numbered integer not null, acknowledged integer not null) strict, without rowid;
insert or ignore into streams values ('live', 0, 0), ('bills', 0, 0);

-- For what is dropped of a stream that is too long, connector by connector or session by session.
create index if not exists spool_thinnable on spool (weight, subject, seq)
    where stream = 'live' and number is null;

-- How many items of each stream wait. A file of an agent that did not count is counted once.
create table if not exists waiting (stream text primary key, items integer not null) strict, without rowid;
insert into waiting
    select stream, (select count(*) from spool where spool.stream = streams.stream and is_delivered = 0)
    from streams where not exists (select 1 from waiting);
create trigger if not exists spool_grows after insert on spool when new.is_delivered = 0
    begin update waiting set items = items + 1 where stream = new.stream; end;
create trigger if not exists spool_shrinks after delete on spool when old.is_delivered = 0
    begin update waiting set items = items - 1 where stream = old.stream; end;
create trigger if not exists spool_delivers after update of is_delivered on spool
    begin update waiting set items = items + old.is_delivered - new.is_delivered where stream = new.stream; end;

create table if not exists tariffs (
    tariff_id text not null, version integer not null, body blob not null,
    primary key (tariff_id, version)) strict, without rowid;
create table if not exists blacklist (digest blob primary key) strict, without rowid;

create table if not exists asks (ask_id text primary key, request blob not null) strict, without rowid;
create table if not exists releases (
    authorization_id text primary key, request blob not null) strict, without rowid;

create table if not exists faults (
    connector_id text not null, code text not null, at integer not null,
    primary key (connector_id, code)) strict, without rowid;
create table if not exists statuses (
    connector_id text primary key, state text not null, at integer not null) strict, without rowid;
create table if not exists taps (seq integer primary key autoincrement, body blob not null) strict;
"""
