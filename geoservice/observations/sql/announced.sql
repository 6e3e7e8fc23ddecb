-- Readings that a batch placed, as the reader may see them.
SELECT
    d.id,
    d.key,
    t.key AS station,
    p.code AS property,
    o.id AS observation,
    o.phenomenon_time,
    o.phenomenon_end,
    o.result_time,
    o.number,
    o.text,
    o.json,
    o.quality,
    o.parameters -> 'calibration' AS calibration,
    coalesce(d.unit_symbol, d.unit_name) AS unit,
    coalesce(
        nullif(d.properties ->> 'exercise', 'false'), nullif(t.properties ->> 'exercise', 'false')
    ) AS exercise
FROM obs.observation AS o
INNER JOIN obs.datastream AS d ON o.datastream = d.id
INNER JOIN obs.thing AS t ON d.thing = t.id
INNER JOIN obs.observed_property AS p ON d.property = p.id
WHERE o.id BETWEEN $1 AND $2 AND o.batch = $3 AND NOT o.superseded
ORDER BY o.id;
