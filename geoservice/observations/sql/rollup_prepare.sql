CREATE TEMPORARY TABLE IF NOT EXISTS rollup_taken (
    datastream bigint NOT NULL,
    clearance smallint NOT NULL,
    zone text NOT NULL,
    cadence double precision,
    day timestamptz NOT NULL,
    day_end timestamptz NOT NULL,
    month timestamptz NOT NULL,
    month_end timestamptz NOT NULL
) ON COMMIT DELETE ROWS;
DELETE FROM pg_temp.rollup_taken;

-- One refresh at a time: two that took days of one month would each miss the other's.
SELECT pg_advisory_xact_lock(hashtextextended('geoservice.obs.rollup', 0));
