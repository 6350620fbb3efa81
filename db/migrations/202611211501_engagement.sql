-- +goose Up
-- What end users do. Raw events lie in months, so that old ones go as a whole; those of months without a
-- partition of their own (the far past) lie in the default one.
create table engagement_events (
    account_id text not null references accounts on delete cascade,
    user_id text not null check (length(user_id) between 1 and 128),
    event_id text not null check (length(event_id) between 1 and 128),
    at timestamptz not null,
    type text not null check (length(type) between 1 and 64),
    seconds double precision not null check (seconds >= 0),
    properties jsonb not null,
    constraint engagement_events_pkey primary key (account_id, user_id, at, event_id)
) partition by range (at);
create table engagement_events_rest partition of engagement_events default;

-- When an event was first reported that names itself but no time: its repetitions are at that time, too.
create table engagement_undated (
    account_id text not null references accounts on delete cascade,
    user_id text not null,
    event_id text not null,
    at timestamptz not null,
    constraint engagement_undated_pkey primary key (account_id, user_id, event_id)
);

-- The sums of a user's events over a quarter of an hour: any time zone's days are made of whole slots.
-- Points and depths are in thousandths.
create table engagement_slots (
    account_id text not null references accounts on delete cascade,
    user_id text not null,
    slot timestamptz not null,
    events bigint not null,
    creations bigint not null,
    interactions bigint not null,
    reactions bigint not null,
    social_points bigint not null,
    depths bigint not null,
    depth_points bigint not null,
    achievement bigint not null,
    social bigint not null,
    mastery bigint not null,
    progress bigint not null,
    constraint engagement_slots_pkey primary key (account_id, user_id, slot)
);

-- What an agent keeps in mind of an end user, and how it came to be. The conversation is theirs alone.
create table engagement_states (
    account_id text not null references accounts on delete cascade,
    agent_id text not null,
    user_id text not null,
    conversation_id text not null,
    version bigint not null check (version >= 1),
    state jsonb not null,
    updated_at timestamptz not null,
    constraint engagement_states_pkey primary key (account_id, agent_id, user_id)
);
create table engagement_state_versions (
    account_id text not null,
    agent_id text not null,
    user_id text not null,
    version bigint not null check (version >= 1),
    state jsonb not null,
    created_at timestamptz not null,
    constraint engagement_state_versions_pkey primary key (account_id, agent_id, user_id, version),
    constraint engagement_state_versions_state_fkey foreign key (account_id, agent_id, user_id) references engagement_states on delete cascade
);

-- When a figure of a user crosses a threshold, something is done.
create table engagement_rules (
    account_id text not null references accounts on delete cascade,
    rule_id text not null,
    name text not null,
    figure text not null,
    comparison text not null check (comparison in ('below', 'above')),
    threshold double precision not null,
    action text not null check (action in ('webhook', 'message')),
    agent_id text,
    key_id text,
    prompt text not null,
    created_at timestamptz not null,
    constraint engagement_rules_pkey primary key (account_id, rule_id),
    constraint engagement_rules_agent_check check ((action = 'message') = (agent_id is not null and key_id is not null))
);

-- For which users a rule's condition holds since when: it acts once a crossing.
create table engagement_rule_hits (
    account_id text not null,
    rule_id text not null,
    user_id text not null,
    at timestamptz not null,
    constraint engagement_rule_hits_pkey primary key (account_id, rule_id, user_id),
    constraint engagement_rule_hits_rule_fkey foreign key (account_id, rule_id) references engagement_rules on delete cascade
);
