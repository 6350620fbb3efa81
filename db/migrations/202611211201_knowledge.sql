-- +goose Up
-- Knowledge: what agents, apps and projects answer from. A collection holds sources, a source pages,
-- a page the chunks that are searched.

create table collections (
    account_id text not null constraint collections_account_fkey references accounts on delete cascade,
    collection_id text not null,
    name text not null check (length(name) between 1 and 200),
    -- When the first ingestion of all its sources had ended with a page indexed; null before.
    ready_at timestamptz,
    -- It is being removed: nobody sees it any more.
    deleting boolean not null default false,
    -- The text search configurations of its chunks: a question is read in each of them.
    languages text[] not null default '{}',
    -- How many chunks it had when its words were last counted.
    counted_chunks bigint not null default 0,
    counted_at timestamptz,
    created_at timestamptz not null,
    constraint collections_pkey primary key (account_id, collection_id)
);

-- Who answers from a collection.
create table collection_links (
    account_id text not null,
    holder_kind text not null check (holder_kind in ('agent', 'app')),
    holder_id text not null,
    collection_id text not null,
    constraint collection_links_pkey primary key (account_id, holder_kind, holder_id, collection_id),
    constraint collection_links_collection_fkey foreign key (account_id, collection_id) references collections on delete cascade
);
create index collection_links_collection on collection_links (account_id, collection_id);

-- The words that stand in many chunks of a collection, and in how many. Searches match on the others:
-- ranking all that hold a common word is what makes a search slow.
create table collection_terms (
    account_id text not null,
    collection_id text not null,
    term text not null,
    chunks bigint not null check (chunks > 0),
    constraint collection_terms_pkey primary key (account_id, collection_id, term),
    constraint collection_terms_collection_fkey foreign key (account_id, collection_id) references collections on delete cascade
);

create table sources (
    account_id text not null,
    source_id text not null,
    collection_id text not null,
    -- What surfaces show whose ids are numbers.
    number bigint not null,
    kind text not null check (kind in ('site', 'upload')),
    -- Of the site or its sitemap; '' for uploads.
    url text not null check (octet_length(url) <= 2000),
    refresh text not null default 'never' check (refresh in ('never', 'daily', 'weekly', 'monthly', 'advanced')),
    -- Of advanced: when, as a JSON array of {days, hours}.
    schedule jsonb not null default '[]',
    create_new_pages boolean not null default true,
    remove_missing_pages boolean not null default false,
    refresh_existing_pages text not null default 'if_updated' check (refresh_existing_pages in ('never', 'always', 'if_updated')),
    -- waiting and running: an ingestion is under way. ready and failed: none is.
    state text not null check (state in ('waiting', 'running', 'ready', 'failed', 'deleting')),
    -- Why it failed, or what was left out; for people.
    reason text not null default '' check (length(reason) <= 500),
    -- Which ingestion of the source this is; pages bear the number of the one that saw them last.
    run bigint not null default 0,
    discovered boolean not null default false,
    refreshed_at timestamptz,
    next_refresh_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint sources_pkey primary key (account_id, source_id),
    constraint sources_number_key unique (account_id, number),
    constraint sources_collection_fkey foreign key (account_id, collection_id) references collections on delete cascade
);
create index sources_of_collection on sources (account_id, collection_id, source_id);
create index sources_due on sources (next_refresh_at) where next_refresh_at is not null;

create table pages (
    account_id text not null,
    page_id text not null,
    collection_id text not null,
    source_id text not null,
    number bigint not null,
    -- Where it is; for an upload the name under which it is kept.
    url text not null check (octet_length(url) between 1 and 2000),
    is_file boolean not null,
    file_name text not null default '' check (length(file_name) <= 255),
    file_bytes bigint not null default 0 check (file_bytes >= 0),
    file_type text not null default '' check (length(file_type) <= 255),
    -- The uploaded file stays in the blob store after it was indexed.
    file_kept boolean not null default false,
    -- As extracted.
    title text not null default '' check (length(title) <= 500),
    description text not null default '' check (length(description) <= 1000),
    image text not null default '' check (length(image) <= 2000),
    -- What people set instead: any of title, url, description, image.
    metadata jsonb not null default '{}',
    crawl_state text not null check (crawl_state in ('queued', 'ok', 'failed', 'n/a', 'limited')),
    index_state text not null check (index_state in ('queued', 'ok', 'failed', 'n/a', 'limited')),
    reason text not null default '' check (length(reason) <= 500),
    http_status integer,
    etag text not null default '' check (length(etag) <= 1000),
    last_modified text not null default '' check (length(last_modified) <= 100),
    -- Of the extracted text: pages whose text is the same are not indexed again.
    content_digest text not null default '',
    chunks integer not null default 0,
    words bigint not null default 0,
    -- The ingestion that saw it last.
    run bigint not null,
    -- Whoever works on it has the number of its latest claim; an older one can store nothing.
    attempt integer not null default 0,
    -- Attempts since it was queued.
    tries integer not null default 0,
    -- When it may be claimed: its time, or the end of the lease of who works on it; null when there is nothing to do.
    due_at timestamptz,
    crawled_at timestamptz,
    indexed_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint pages_pkey primary key (account_id, page_id),
    constraint pages_url_key unique (account_id, source_id, url),
    constraint pages_number_key unique (account_id, number),
    constraint pages_source_fkey foreign key (account_id, source_id) references sources on delete cascade
);
create index pages_of_collection on pages (account_id, collection_id, page_id);
create index pages_due on pages (account_id, source_id, due_at) where due_at is not null;

-- Every word in terms begins with four letters made of the collection's id: the index then holds a list
-- of chunks per collection and word, and a search costs what its own collection has, whatever others hold.
create table chunks (
    account_id text not null,
    page_id text not null,
    seq integer not null check (seq > 0),
    collection_id text not null,
    heading text not null,
    body text not null,
    tokens integer not null check (tokens >= 0),
    language text not null,
    terms tsvector not null,
    -- Of the embedding model; null without one.
    embedding real[],
    constraint chunks_pkey primary key (account_id, page_id, seq),
    constraint chunks_page_fkey foreign key (account_id, page_id) references pages on delete cascade
);
-- Without a pending list, which every search would have to read through.
create index chunks_terms on chunks using gin (terms) with (fastupdate = off);
