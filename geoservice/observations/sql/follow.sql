-- What follows from the readings that were placed: the latest, the spans of datastreams, days whose roll-ups are due.
INSERT INTO obs.latest AS t (
    datastream, observation, batch, phenomenon_time, result_time, number, clearance, quality, text, json
)
SELECT DISTINCT ON (p.stream)
    p.stream,
    p.observation,
    p.batch,
    p.phenomenon_time,
    p.result_time,
    p.number,
    p.clearance,
    p.quality,
    p.text,
    p.json
FROM pg_temp.reading_placed AS p
WHERE NOT p.superseded
ORDER BY p.stream ASC, p.phenomenon_time DESC
ON CONFLICT (datastream) DO UPDATE SET
    observation = excluded.observation,
    batch = excluded.batch,
    phenomenon_time = excluded.phenomenon_time,
    result_time = excluded.result_time,
    number = excluded.number,
    clearance = excluded.clearance,
    quality = excluded.quality,
    text = excluded.text,
    json = excluded.json
WHERE (excluded.phenomenon_time, excluded.result_time) > (t.phenomenon_time, t.result_time);

UPDATE obs.datastream AS d SET
    phenomenon_begin = least(d.phenomenon_begin, s.begins),
    phenomenon_end = greatest(d.phenomenon_end, s.ends),
    result_begin = least(d.result_begin, s.first_result),
    result_end = greatest(d.result_end, s.last_result)
FROM (
    SELECT
        p.stream,
        min(p.phenomenon_time) AS begins,
        max(coalesce(p.phenomenon_end, p.phenomenon_time)) AS ends,
        min(p.result_time) AS first_result,
        max(p.result_time) AS last_result
    FROM pg_temp.reading_placed AS p
    GROUP BY p.stream
) AS s
WHERE d.id = s.stream;

-- A mark that is there already is locked: a refresh that is under way must not take it off before these readings count.
INSERT INTO obs.rollup_due (datastream, day, clearance)
SELECT DISTINCT
    p.stream,
    date_trunc('day', p.phenomenon_time, d.zone) AS day,
    p.clearance
FROM pg_temp.reading_placed AS p
INNER JOIN obs.datastream AS d ON p.stream = d.id
WHERE p.number IS NOT NULL
ORDER BY p.stream, day
ON CONFLICT (datastream, day) DO UPDATE SET clearance = excluded.clearance;

UPDATE obs.batch AS b SET
    begins = s.begins,
    ends = s.ends
FROM (
    SELECT
        p.batch,
        min(p.phenomenon_time) AS begins,
        max(coalesce(p.phenomenon_end, p.phenomenon_time)) AS ends
    FROM pg_temp.reading_placed AS p
    GROUP BY p.batch
) AS s
WHERE b.id = s.batch;
