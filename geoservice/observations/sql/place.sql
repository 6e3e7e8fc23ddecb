-- What becomes of each reading that landed. One that says no result time and differs from what stands is a revision of
-- now; one that says it, and differs from the reading of the same result time, contradicts it.
WITH met AS (
    SELECT
        m.position,
        max(m.observation) FILTER (WHERE m.twin) AS stands,
        bool_and(m.same) FILTER (WHERE m.twin) AS same,
        max(m.result_time) AS newest
    FROM pg_temp.reading_met AS m
    GROUP BY m.position
)

INSERT INTO pg_temp.reading_fate (position, fate, observation, result_time)
SELECT
    l.position,
    CASE
        WHEN met.position IS NULL THEN 'new'
        WHEN met.same THEN 'unchanged'
        WHEN met.stands IS NOT NULL AND l.given IS NOT NULL THEN 'contradicts'
        ELSE 'revision'
    END AS fate,
    met.stands,
    CASE
        WHEN l.given IS NULL AND met.position IS NOT NULL
            THEN greatest(now(), met.newest + interval '1 microsecond')
        ELSE l.result_time
    END AS result_time
FROM pg_temp.reading_landed AS l
LEFT JOIN met ON l.position = met.position;

WITH standing AS (
    SELECT
        m.position,
        max(m.result_time) AS newest
    FROM pg_temp.reading_met AS m
    GROUP BY m.position
),

written AS (
    INSERT INTO obs.observation (
        datastream, batch, clearance, phenomenon_time, phenomenon_end, result_time, superseded, number, text, json,
        quality, valid_begin, valid_end, parameters, foi
    )
    SELECT
        l.stream,
        l.batch,
        l.clearance,
        l.phenomenon_time,
        l.phenomenon_end,
        f.result_time,
        f.result_time < greatest(
            max(f.result_time) OVER (PARTITION BY l.stream, l.phenomenon_time), s.newest
        ) AS superseded,
        l.number,
        l.text,
        l.json,
        l.quality,
        l.valid_begin,
        l.valid_end,
        l.parameters,
        l.foi
    FROM pg_temp.reading_landed AS l
    INNER JOIN pg_temp.reading_fate AS f ON l.position = f.position
    LEFT JOIN standing AS s ON l.position = s.position
    WHERE f.fate IN ('new', 'revision')
    RETURNING
        id, batch, datastream, clearance, phenomenon_time, phenomenon_end, result_time, superseded, number, text, json,
        quality
)

INSERT INTO pg_temp.reading_placed (
    observation, batch, stream, clearance, phenomenon_time, phenomenon_end, result_time, superseded, number, text,
    json, quality
)
SELECT * FROM written;

UPDATE obs.observation AS o SET superseded = TRUE
FROM pg_temp.reading_met AS m
INNER JOIN pg_temp.reading_landed AS l ON m.position = l.position
INNER JOIN pg_temp.reading_fate AS f ON m.position = f.position
WHERE
    NOT m.superseded AND f.fate = 'revision' AND f.result_time > m.result_time
    AND o.id = m.observation AND o.datastream = l.stream AND o.phenomenon_time = l.phenomenon_time;
