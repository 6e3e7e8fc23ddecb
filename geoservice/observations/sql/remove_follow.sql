DELETE FROM obs.latest AS l
USING pg_temp.reading_removed AS r
INNER JOIN obs.datastream AS d ON r.datastream = d.key
WHERE l.datastream = d.id AND l.phenomenon_time = r.phenomenon_time;

INSERT INTO obs.latest (
    datastream, observation, batch, phenomenon_time, result_time, number, clearance, quality, text, json
)
SELECT
    d.id,
    o.id AS observation,
    o.batch,
    o.phenomenon_time,
    o.result_time,
    o.number,
    o.clearance,
    o.quality,
    o.text,
    o.json
FROM obs.datastream AS d
CROSS JOIN
    LATERAL (
        SELECT s.* FROM obs.observation AS s
        WHERE s.datastream = d.id AND NOT s.superseded
        ORDER BY s.phenomenon_time DESC
        LIMIT 1
    ) AS o
WHERE d.key IN (SELECT r.datastream FROM pg_temp.reading_removed AS r)
ON CONFLICT (datastream) DO NOTHING;

UPDATE obs.datastream AS d SET
    phenomenon_begin = s.begins,
    phenomenon_end = s.ends,
    result_begin = s.first_result,
    result_end = s.last_result
FROM (
    SELECT
        e.id,
        min(o.phenomenon_time) AS begins,
        max(coalesce(o.phenomenon_end, o.phenomenon_time)) AS ends,
        min(o.result_time) AS first_result,
        max(o.result_time) AS last_result
    FROM obs.datastream AS e
    LEFT JOIN obs.observation AS o ON e.id = o.datastream
    WHERE e.key IN (SELECT r.datastream FROM pg_temp.reading_removed AS r)
    GROUP BY e.id
) AS s
WHERE d.id = s.id;
