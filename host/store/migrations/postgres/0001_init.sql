-- The data. Every key and index is led by the workspace, so that a database which shards can shard by it. Ids are 63-bit
-- integers in the order of time: within a workspace every wide table is appended at its end. Times are milliseconds since
-- 1970, states are small numbers. `body`, `raw`, `why`, `ids`, `thread` are sealed; `h`, `provider_h`, `key_h` are keyed hashes; `reason`
-- and `rule` hold codes of ours. No provider id, name or word of a message stands here in plain.
--
-- Tables and columns are those of SQLite's migration of the same number; beside them stands here what several hosts need.

-- The shard of a lane, as in lease.rs: a conversation, or the workspace for what belongs to no conversation.
create function lane_shard(ws bigint, conversation bigint) returns bigint language sql immutable parallel safe as
$$ select ((l # (l >> 22)) & 255) * 167 & 255 from (select case when conversation=0 then ws else conversation end) as lane(l) $$;

-- Those who have the database open. A host that runs lanes renews its row; one whose time is over has lost its shards and its
-- number.
create sequence host_token;
create table host (
    number bigint primary key,    -- 1 to 1023, in the ids that it makes
    token bigint not null,        -- another at each joining
    name text not null,           -- for people
    lanes bigint not null,        -- 1: runs lanes; 0: a command that is done in a moment
    until bigint not null         -- by the clock of this database
);

-- Who acts for the lanes of a shard. The fence grows whenever it changes hands.
create table lane_lease (
    shard bigint primary key,
    holder bigint,                -- host.token; null: free
    fence bigint not null
);
insert into lane_lease(shard,holder,fence) select n,null,0 from generate_series(0,255) n;

create table workspace (
    id bigint primary key,
    name text not null,
    time_zone text not null,
    language text not null,
    ai text not null default 'on'  -- whether steps may ask models: on, on-request, off
);

create table channel (
    ws bigint not null,
    id bigint not null,
    plugin text not null,
    state bigint not null,
    body bytea not null,           -- account, name, config; under the channel's key
    primary key (ws, id)
);

create table credential (
    ws bigint not null,
    owner bigint not null,        -- the channel, or the connection to a model
    slot text not null,
    hosts text not null,          -- JSON; also bound into the envelope
    sealed bytea not null,
    primary key (ws, owner, slot)
);

-- Master keys that were replaced, or are being replaced: no credential is sealed under one of them any more.
create table replaced_key (
    key_id bytea primary key,
    at bigint not null
);
create function refuse_stale_key() returns trigger language plpgsql as $$
begin
    if exists (select 1 from replaced_key where key_id = substr(new.sealed, 3, 4)) then
        raise exception 'stale_key' using errcode = '23P99';
    end if;
    return new;
end $$;
create trigger credential_stale before insert or update of sealed on credential
    for each row execute function refuse_stale_key();

create table workflow (
    ws bigint not null,
    hash text not null,
    name text not null,
    at bigint not null,
    files text not null,          -- JSON: [[name, text], ...]; the customer's own words
    primary key (ws, hash)
);

create table workflow_active (
    ws bigint not null,
    name text not null,
    hash text not null,
    primary key (ws, name)
);

-- Which version was made the active one of its name, and when: never changed, only added to. By whom and how stands in the
-- line of the audit that has the same id.
create table workflow_change (
    ws bigint not null,
    name text not null,
    id bigint not null,
    hash text,                    -- null: the name was taken out of use
    primary key (ws, name, id)
);

-- Versions of step plugins, so that a run goes on with the one to which it is pinned when the host brings a newer one. What
-- comes with the host stands under ws 0.
create table plugin (
    ws bigint not null,
    id text not null,
    digest text not null,         -- SHA-256 of component, hex
    at bigint not null,
    yanked text,                  -- why it may not run any more
    manifest text not null,
    component bytea not null,
    primary key (ws, id, digest)
);

-- Packages in which plugins were handed in, by the digest of all that is signed; their code stands in `plugin`. At most one of a
-- plugin serves and one waits. The publisher of the newest is the one whose updates are taken. Stands under ws 0.
create table package (
    ws bigint not null,
    id text not null,
    digest text not null,
    taken bigint not null,        -- an id: the order in which they came
    state bigint not null,       -- 0 waits for a decision, 1 serves, 2 superseded, 3 gone
    version text not null,
    component text not null,      -- plugin.digest
    publisher text,               -- short name of the key; null: not signed
    manifest text not null,
    primary key (ws, id, digest)
);

-- What plugins of packages may do. Under ws 0 what was decided for the house, elsewhere what a workspace withholds beside that.
create table plugin_grant (
    ws bigint not null,
    id text not null,
    permission text not null,
    granted bigint not null,
    primary key (ws, id, permission)
);

-- What the calls of a plugin or script used in a workspace, by the day.
create table plugin_usage (
    ws bigint not null,
    plugin text not null,         -- its id, or script/ and the beginning of its hash
    day bigint not null,
    calls bigint not null,
    failed bigint not null,       -- of these, those that did not end in order
    limited bigint not null,      -- and those that a limit ended
    cpu_us bigint not null,
    memory bigint not null,       -- the largest of a call, in bytes
    host_calls bigint not null,
    egress bigint not null,       -- bytes of requests that it had made
    primary key (ws, plugin, day)
);

-- Plugins and scripts that broke their limits again and again: they run in this workspace no more until somebody releases them.
create table quarantine (
    ws bigint not null,
    plugin text not null,
    at bigint not null,
    why text not null,
    primary key (ws, plugin)
);

create table contact (
    ws bigint not null,
    id bigint not null,
    erased bigint,
    body bytea,
    primary key (ws, id)
);

create table identity (
    ws bigint not null,
    channel bigint not null,
    h bytea not null,
    contact bigint not null,
    body bytea,                    -- the id itself, under the contact's key
    primary key (ws, channel, h)
);
create index identity_contact on identity (ws, contact);

-- A contact on a channel; also the lane.
create table conversation (
    ws bigint not null,
    id bigint not null,
    channel bigint not null,
    contact bigint not null,
    last bigint not null,         -- head of the chain of events and sends (event.prev, send.prev)
    last_at bigint not null,
    last_in bigint not null,      -- when the contact last wrote; 0: never
    thread bytea,
    body bytea,
    primary key (ws, id)
);
create unique index conversation_contact on conversation (ws, channel, contact);

create sequence event_seq;
create table webhook (
    ws bigint not null,
    id bigint not null,
    channel bigint not null,
    state bigint not null,
    rule text,
    open bigint not null,        -- events of it that are not ended
    reason text,
    why bytea,
    owners bytea not null,         -- contacts whose keys together seal raw, 8 bytes each; empty: the key of the day
    raw bytea,
    seq bigint not null default nextval('event_seq'), -- its place in the order of events; those read later take it over
    primary key (ws, id)
);
create index webhook_kept on webhook (ws, id) where state = 0;
create index webhook_waiting on webhook (ws, id) where state = 1;
create index webhook_parked on webhook (ws, id) where state = 4;

-- span: four days. Looked up in the present span and the two before, so a fact is known for 8 days at least. Old spans are
-- deleted whole.
create table dedupe (
    ws bigint not null,
    span bigint not null,
    h bytea not null,
    event bigint not null,
    primary key (ws, span, h)
);

create table event (
    ws bigint not null,
    id bigint not null,
    webhook bigint not null,
    channel bigint not null,
    conversation bigint not null, -- 0: none; then the key of the day seals it
    kind text not null,
    state bigint not null,
    rule text,
    prev bigint not null,
    body bytea not null,
    seq bigint not null default nextval('event_seq'), -- drawn while the conversation's row is locked: its order is that of commit
    primary key (ws, id)
);
create index event_new on event (ws, seq) where state = 0;
-- By state: what is new is found among however many whose runs wait.
create index event_open on event (ws, state, id) where state < 2;
create index event_parked on event (ws, id) where state = 3;
-- What must not be. Empty in good order, so it costs nothing, and the books need not look for it.
create index event_unruled on event (ws, id) where state > 1 and rule is null;

create table run (
    ws bigint not null,
    id bigint not null,
    conversation bigint not null,
    event bigint not null,
    workflow text not null,
    state bigint not null,
    until bigint,
    waiting text,
    reason text,
    why bytea,
    journal bytea not null,        -- what the first commit knew; the rest is in table journal
    primary key (ws, id)
);
create index run_event on run (ws, event);
create index run_open on run (ws, until, id) where state < 3;
create index run_parked on run (ws, id) where state = 4;

create table journal (
    ws bigint not null,
    run bigint not null,
    seq bigint not null,
    body bytea not null,
    primary key (ws, run, seq)
);

create table send (
    ws bigint not null,
    id bigint not null,
    channel bigint not null,
    conversation bigint not null,
    run bigint not null,
    path text not null,
    n bigint not null,
    key bytea not null,            -- 16 bytes: the first 8 are the event's id, so the index is entered at its end
    state bigint not null,
    due bigint not null,
    attempt bigint not null,
    possible_duplicate bigint not null,
    marked bigint not null,
    provider_h bytea,
    reason text,
    why bytea,
    ids bytea,
    prev bigint not null,
    body bytea not null,
    primary key (ws, id)
);
create unique index send_key on send (ws, key);
create index send_open on send (ws, due, id) where state < 3;
create index send_parked on send (ws, id) where state = 6;
-- By spans of 2^31 ms first: what is new stands together, so that the pages which it touches are few, however many there are.
create index send_provider on send (ws, (id >> 53), provider_h) where provider_h is not null and state in (3, 4);

create table note (
    ws bigint not null,
    id bigint not null,
    conversation bigint not null,
    written_by text not null,
    marked bigint not null,
    body bytea not null,
    primary key (ws, id)
);
create index note_conversation on note (ws, conversation, id);

create table state (
    ws bigint not null,
    scope bigint not null,
    owner bigint not null,
    key_h bytea not null,
    until bigint,
    marked bigint not null,
    body bytea not null,
    primary key (ws, scope, owner, key_h)
);
create index state_until on state (ws, until) where until is not null;

-- What a business knows: texts of the operator's, cut into passages. Bodies are sealed with the workspace's own key; `words` holds the
-- counted hashes of the words of a source, from which a search puts its index together in memory, and is sealed too. A source that
-- changed is written under a new id, and is seen whole or not at all.
create table knowledge_base (
    ws bigint not null,
    id bigint not null,
    name text not null,
    language text,                -- in which its texts are read; null: told from each
    embed text,                   -- the connection that makes vectors of its passages; null: none
    at bigint not null,
    version bigint not null,      -- another after every change: whoever keeps an index compares it
    primary key (ws, id)
);
create unique index knowledge_base_name on knowledge_base (ws, name);

create table knowledge_source (
    ws bigint not null,
    base bigint not null,
    name text not null,           -- the path under which it was given
    id bigint not null,
    hash text not null,           -- of its bytes and of how they were read
    kind text not null,
    at bigint not null,
    passages bigint not null,
    words bytea not null,
    primary key (ws, base, name)
);

-- A table of vectors (ws, source, n, model) can stand beside this one.
create table knowledge_passage (
    ws bigint not null,
    source bigint not null,
    n bigint not null,
    body bytea not null,
    primary key (ws, source, n)
);

-- Vectors of passages, some dozens in a row, from passage `n` on. A model's vectors cannot be compared with those of another, so each row
-- says whose they are. Sealed as passages are.
create table knowledge_vector (
    ws bigint not null,
    source bigint not null,
    n bigint not null,
    model text not null,
    body bytea not null,
    primary key (ws, source, n)
);

-- Connections to models, in the order in which they are asked. Their keys stand among the credentials.
create table model (
    ws bigint not null,
    id bigint not null,
    name text not null,
    rank bigint not null,         -- the smallest is asked first
    settings text not null,       -- JSON: provider, address, models; no secrets
    primary key (ws, id)
);
create unique index model_name on model (ws, name);

-- The ledger of what models and paid templates cost, in billionths of the operator's currency. A row is written before a call with what it
-- can cost at most, and settled after it. One that is not settled counts whole: whoever asked ended in between.
create table spend (
    ws bigint not null,
    id bigint not null,
    model text not null,          -- the connection's name and the model's; template/ and its name
    workflow text not null,
    contact bigint not null,      -- 0: none
    run bigint not null,
    send bigint not null,         -- the send that is paid for; 0: a question to a model
    state bigint not null,      -- 0 reserved, 1 settled, 2 counted whole, for nobody knows what it cost
    amount bigint not null,
    input bigint not null,        -- tokens; of a reserved one what it has at most
    output bigint not null,
    flag text,                    -- what was sent against training on it
    primary key (ws, id)
);
create index spend_open on spend (ws, id) where state = 0;
create unique index spend_send on spend (ws, send) where state = 0 and send <> 0; -- one reservation a send

-- Its sums, against which a call is reserved: of the workspace a day and a month, of a workflow and a contact a day.
create table spend_sum (
    ws bigint not null,
    scope bigint not null,      -- 0 day, 1 month, 2 workflow, 3 contact
    owner text not null,          -- the workflow's name, the contact's id; else empty
    day bigint not null,          -- since 1970, UTC; of a month its first
    amount bigint not null,
    refused bigint not null default 0, -- calls that this sum's cap let not through
    primary key (ws, scope, owner, day)
);
create index spend_sum_day on spend_sum (ws, day);

-- What became of rows of the ledger that are older than it is kept: a line a month and model.
create table spend_total (
    ws bigint not null,
    month bigint not null,        -- its first day, since 1970, UTC
    model text not null,
    calls bigint not null,
    amount bigint not null,
    input bigint not null,
    output bigint not null,
    primary key (ws, month, model)
);

-- Answers of models, written together with what they cost: a leg that is played again after a crash is told the same, and nothing is paid
-- twice. Kept for a day. Sealed like the run.
create table model_answer (
    ws bigint not null,
    event bigint not null,        -- a run that is lost with its host begins again under another id, for the same event
    question bytea not null,       -- a hash: of what was asked, where among all that the event began
    id bigint not null,           -- spend.id
    body bytea not null,
    primary key (ws, event, question)
);
create index model_answer_id on model_answer (ws, id);

-- What contacts felt, as the step `sentiment` told it, counted by day, channel and the tags that workflows put. No words of anybody.
create table trend (
    ws bigint not null,
    day bigint not null,          -- since 1970, UTC
    channel bigint not null,
    topic text not null,          -- a tag as it is written in a workflow; empty: all
    label text not null,          -- positive, neutral, negative
    count bigint not null,
    primary key (ws, day, channel, topic, label)
);

create table audit (
    ws bigint not null,
    id bigint not null,
    actor text not null,
    action text not null,
    detail text not null,
    hash bytea not null,           -- keyed, over this line and the hash of the one before
    primary key (ws, id)
);
