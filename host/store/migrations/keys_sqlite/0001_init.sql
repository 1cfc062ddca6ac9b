-- The key store: wrapped keys of contacts, days and channels. What is deleted here is gone (invariant 11).

-- Which master key seals: 1. While it is being replaced, the one before it: 2; what that one sealed is sealed anew meanwhile. What
-- was replaced: 3; it opens nothing any more. `link` holds the other of 1 and 2, sealed under this one (the vault's succession).
create table master (
    key_id blob primary key,     -- four bytes, as envelopes name it
    state smallint not null,
    at bigint not null,           -- when it came into this state
    link blob
);
create unique index master_state on master (state) where state < 3;

create table data_key (
    ws bigint not null,
    kind smallint not null,
    id bigint not null,
    wrapped blob not null,
    primary key (ws, kind, id)
) without rowid;

-- Nothing is sealed any more under a key that was replaced, whoever has not heard of it yet.
create trigger data_key_stale before insert on data_key
when exists (select 1 from master where state > 1 and key_id = substr(new.wrapped, 3, 4))
begin
    select raise(abort, 'stale_key');
end;
