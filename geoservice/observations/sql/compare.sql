-- What stands already for the times that landed. Only times up to the latest can be there; each is looked up by index.
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;

INSERT INTO pg_temp.reading_met (position, observation, result_time, superseded, twin, same)
SELECT
    l.position,
    o.id,
    o.result_time,
    o.superseded,
    CASE WHEN l.given IS NULL THEN NOT o.superseded ELSE o.result_time = l.given END AS twin,
    row(
        o.number, o.text, o.json, o.quality, o.phenomenon_end, o.valid_begin, o.valid_end, o.parameters, o.foi
    )::text = row(
        l.number, l.text, l.json, l.quality, l.phenomenon_end, l.valid_begin, l.valid_end, l.parameters, l.foi
    )::text AS same
FROM pg_temp.reading_landed AS l
INNER JOIN obs.latest AS n ON l.stream = n.datastream AND l.phenomenon_time <= n.phenomenon_time
INNER JOIN obs.observation AS o ON l.stream = o.datastream AND l.phenomenon_time = o.phenomenon_time;

SET LOCAL enable_hashjoin = on;
SET LOCAL enable_mergejoin = on;
