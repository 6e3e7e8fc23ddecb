-- Schema alert: messages of the Common Alerting Protocol and what is known of them. Run by the owner.
CREATE SCHEMA alert;
REVOKE ALL ON SCHEMA alert FROM public;

-- Envelopes with several messages, byte for byte; a message that came alone is kept in its own row.
CREATE TABLE alert.envelope (
    sha256 text PRIMARY KEY,
    content bytea NOT NULL,
    received timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE alert.message (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL,
    sender text NOT NULL,
    identifier text NOT NULL,
    sent timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('Actual', 'Exercise', 'System', 'Test', 'Draft')),
    msg_type text NOT NULL CHECK (msg_type IN ('Alert', 'Update', 'Cancel', 'Ack', 'Error')),
    clearance smallint NOT NULL CHECK (clearance BETWEEN 0 AND 2),
    -- The first message of a sender and identifier is kept; others that say something else contest it.
    verdict text NOT NULL CHECK (verdict IN ('kept', 'contested')),
    digest text NOT NULL,
    xml bytea NOT NULL,
    envelope text REFERENCES alert.envelope (sha256),
    content jsonb NOT NULL,
    begins timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    -- When and how another message put an end to it.
    ended timestamptz,
    ended_how text CHECK (ended_how IN ('updated', 'cancelled')),
    severity text NOT NULL,
    signature text NOT NULL CHECK (signature IN ('valid', 'weak', 'unknown', 'invalid', 'unsigned')),
    signer text,
    findings jsonb NOT NULL DEFAULT '[]',
    way text NOT NULL,
    principal text NOT NULL,
    received timestamptz NOT NULL DEFAULT now(),
    UNIQUE (sender, identifier, digest)
);
CREATE UNIQUE INDEX message_name ON alert.message (sender, identifier) WHERE verdict = 'kept';
CREATE UNIQUE INDEX message_id ON alert.message (id) WHERE verdict = 'kept';
CREATE INDEX message_span ON alert.message (ends, sent) WHERE verdict = 'kept';

CREATE TABLE alert.reference (
    message bigint NOT NULL REFERENCES alert.message (number) ON DELETE CASCADE,
    sender text NOT NULL,
    identifier text NOT NULL,
    sent timestamptz NOT NULL,
    clearance smallint NOT NULL CHECK (clearance BETWEEN 0 AND 2),
    PRIMARY KEY (message, sender, identifier, sent)
);
CREATE INDEX reference_name ON alert.reference (sender, identifier);

-- Areas of the information blocks; geom is null where nothing says where they lie.
CREATE TABLE alert.area (
    message bigint NOT NULL REFERENCES alert.message (number) ON DELETE CASCADE,
    info integer NOT NULL,
    area integer NOT NULL,
    origin text NOT NULL CHECK (origin IN ('drawn', 'division', 'none')),
    geom public.GEOMETRY (GEOMETRY, 4490),
    clearance smallint NOT NULL CHECK (clearance BETWEEN 0 AND 2),
    PRIMARY KEY (message, info, area)
);
CREATE INDEX area_geom ON alert.area USING gist (geom);

CREATE TABLE alert.signer (
    fingerprint text NOT NULL,
    sender text NOT NULL,
    name text NOT NULL,
    certificate text NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (fingerprint, sender)
);

CREATE TABLE alert.draft (
    id text PRIMARY KEY,
    author text NOT NULL,
    content jsonb NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'released', 'withdrawn')),
    created timestamptz NOT NULL DEFAULT now(),
    changed timestamptz NOT NULL DEFAULT now(),
    -- Who last changed what it says: with four eyes they do not release it.
    changed_by text NOT NULL,
    settled timestamptz,
    settled_by text,
    message text
);

CREATE TABLE alert.feed (
    address text PRIMARY KEY,
    etag text,
    modified text,
    -- Entries that were followed.
    seen jsonb NOT NULL DEFAULT '[]',
    checked timestamptz,
    due timestamptz NOT NULL DEFAULT now(),
    failures integer NOT NULL DEFAULT 0,
    error text
);
