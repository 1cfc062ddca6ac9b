-- The key store: wrapped keys of contacts, days and channels. What is deleted here is gone (invariant 11).

-- Which master key seals: 1. While it is being replaced, the one before it: 2; what that one sealed is sealed anew meanwhile. What
-- was replaced: 3; it opens nothing any more. `link` holds the other of 1 and 2, sealed under this one (the vault's succession).
create table master (
    key_id bytea primary key,     -- four bytes, as envelopes name it
    state bigint not null,
    at bigint not null,           -- when it came into this state
    link bytea
);
create unique index master_state on master (state) where state < 3;

create table data_key (
    ws bigint not null,
    kind bigint not null,
    id bigint not null,
    wrapped bytea not null,
    primary key (ws, kind, id)
);

-- Nothing is sealed any more under a key that was replaced, whoever has not heard of it yet.
create function refuse_stale_key() returns trigger language plpgsql as $$
begin
    if exists (select 1 from master where state > 1 and key_id = substr(new.wrapped, 3, 4)) then
        raise exception 'stale_key' using errcode = '23P99';
    end if;
    return new;
end $$;
create trigger data_key_stale before insert on data_key for each row execute function refuse_stale_key();
