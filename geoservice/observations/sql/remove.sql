-- The datastreams are held first: writers of the same ones take turns.
WITH held AS (
    SELECT
        d.id,
        d.key,
        d.zone,
        d.clearance
    FROM obs.datastream AS d
    WHERE d.key IN (SELECT r.datastream FROM pg_temp.reading_removed AS r)
    ORDER BY d.id
    FOR NO KEY UPDATE
),

gone AS (
    DELETE FROM obs.observation AS o
    USING pg_temp.reading_removed AS r
    INNER JOIN held AS h ON r.datastream = h.key
    WHERE o.datastream = h.id AND o.phenomenon_time = r.phenomenon_time
    RETURNING o.datastream, o.phenomenon_time
),

due AS (
    INSERT INTO obs.rollup_due (datastream, day, clearance)
    SELECT DISTINCT
        g.datastream,
        date_trunc('day', g.phenomenon_time, h.zone) AS day,
        h.clearance
    FROM gone AS g
    INNER JOIN held AS h ON g.datastream = h.id
    ORDER BY g.datastream, day
    ON CONFLICT (datastream, day) DO UPDATE SET clearance = excluded.clearance
)

SELECT count(*) FROM gone;
