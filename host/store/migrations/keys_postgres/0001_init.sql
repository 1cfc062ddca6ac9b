-- The key store: wrapped keys of contacts, days and channels. What is deleted here is gone (invariant 11).

create table checkword (
    id bigint primary key,
    value bytea not null
);

create table data_key (
    ws bigint not null,
    kind bigint not null,
    id bigint not null,
    wrapped bytea not null,
    primary key (ws, kind, id)
);
