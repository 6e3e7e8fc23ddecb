-- Landing tables of one writer; a pooled connection keeps them, each commit empties them.
CREATE TEMPORARY TABLE IF NOT EXISTS reading_named (
    place bigint NOT NULL,
    stream bigint,
    datastream text,
    station text,
    property text
) ON COMMIT DELETE ROWS;

CREATE TEMPORARY TABLE IF NOT EXISTS reading_landed (
    position bigint NOT NULL,
    batch bigint NOT NULL,
    stream bigint NOT NULL,
    clearance smallint NOT NULL,
    phenomenon_time timestamptz NOT NULL,
    phenomenon_end timestamptz,
    given timestamptz,
    result_time timestamptz NOT NULL,
    number double precision,
    text text,
    json jsonb,
    quality text,
    valid_begin timestamptz,
    valid_end timestamptz,
    parameters jsonb,
    foi bigint
) ON COMMIT DELETE ROWS;

-- Readings that stand already for the time of one that landed: twin is the one that it is compared with.
CREATE TEMPORARY TABLE IF NOT EXISTS reading_met (
    position bigint NOT NULL,
    observation bigint NOT NULL,
    result_time timestamptz NOT NULL,
    superseded boolean NOT NULL,
    twin boolean NOT NULL,
    same boolean NOT NULL
) ON COMMIT DELETE ROWS;

CREATE TEMPORARY TABLE IF NOT EXISTS reading_fate (
    position bigint NOT NULL,
    fate text NOT NULL,
    observation bigint,
    result_time timestamptz NOT NULL
) ON COMMIT DELETE ROWS;

CREATE TEMPORARY TABLE IF NOT EXISTS reading_placed (
    observation bigint NOT NULL,
    batch bigint NOT NULL,
    stream bigint NOT NULL,
    clearance smallint NOT NULL,
    phenomenon_time timestamptz NOT NULL,
    phenomenon_end timestamptz,
    result_time timestamptz NOT NULL,
    superseded boolean NOT NULL,
    number double precision,
    text text,
    json jsonb,
    quality text
) ON COMMIT DELETE ROWS;

DELETE FROM pg_temp.reading_named;
DELETE FROM pg_temp.reading_landed;
DELETE FROM pg_temp.reading_met;
DELETE FROM pg_temp.reading_fate;
DELETE FROM pg_temp.reading_placed;
