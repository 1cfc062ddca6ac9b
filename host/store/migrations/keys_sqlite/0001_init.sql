-- The key store: wrapped keys of contacts, days and channels. What is deleted here is gone (invariant 11).

create table checkword (
    id integer primary key,
    value blob not null
);

create table data_key (
    ws bigint not null,
    kind smallint not null,
    id bigint not null,
    wrapped blob not null,
    primary key (ws, kind, id)
) without rowid;
