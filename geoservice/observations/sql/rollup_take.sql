-- Days that a writer holds are left to the next refresh.
WITH picked AS (
    SELECT
        q.datastream,
        q.day
    FROM obs.rollup_due AS q
    ORDER BY q.datastream, q.day
    LIMIT 20000
    FOR UPDATE SKIP LOCKED
),

taken AS (
    DELETE FROM obs.rollup_due AS q
    USING picked AS p
    WHERE q.datastream = p.datastream AND q.day = p.day
    RETURNING q.datastream, q.day
),

dated AS (
    SELECT
        t.datastream,
        d.zone,
        d.clearance,
        t.day,
        extract(EPOCH FROM d.cadence) AS cadence,
        date_trunc('month', t.day, d.zone) AS month
    FROM taken AS t
    INNER JOIN obs.datastream AS d ON t.datastream = d.id
)

INSERT INTO pg_temp.rollup_taken (datastream, clearance, zone, cadence, day, day_end, month, month_end)
SELECT
    datastream,
    clearance,
    zone,
    cadence,
    day,
    (day AT TIME ZONE zone + interval '1 day') AT TIME ZONE zone AS day_end,
    month,
    (month AT TIME ZONE zone + interval '1 month') AT TIME ZONE zone AS month_end
FROM dated;
