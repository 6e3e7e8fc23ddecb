CREATE TEMPORARY TABLE IF NOT EXISTS reading_removed (
    datastream text NOT NULL,
    phenomenon_time timestamptz NOT NULL
) ON COMMIT DELETE ROWS;
DELETE FROM pg_temp.reading_removed;
