-- The datastreams that readings name, held until the end of the transaction: writers of one datastream take turns.
WITH named AS (
    SELECT
        n.place,
        d.id
    FROM pg_temp.reading_named AS n
    INNER JOIN obs.datastream AS d ON n.stream = d.id
    UNION ALL
    SELECT
        n.place,
        d.id
    FROM pg_temp.reading_named AS n
    INNER JOIN obs.datastream AS d ON n.datastream = d.key
    WHERE n.stream IS NULL
    UNION ALL
    SELECT
        n.place,
        d.id
    FROM pg_temp.reading_named AS n
    INNER JOIN obs.thing AS t ON n.station = t.key
    INNER JOIN obs.observed_property AS p ON n.property = p.code
    INNER JOIN obs.datastream AS d ON t.id = d.thing AND p.id = d.property
    WHERE n.stream IS NULL AND n.datastream IS NULL
)

SELECT
    n.place,
    d.id,
    d.observation_type,
    p.unit AS believed_unit,
    p.lowest,
    p.highest,
    coalesce(d.properties -> 'calibrations', s.properties -> 'calibrations') AS calibrations,
    greatest(d.clearance, t.clearance) AS clearance,
    coalesce(d.unit, d.unit_symbol) AS unit,
    now() - coalesce(
        (
            SELECT r.keep FROM obs.retention AS r
            WHERE r.property = p.code
        ),
        (
            SELECT r.keep FROM obs.retention AS r
            WHERE r.property IS NULL
        )
    ) AS oldest
FROM obs.datastream AS d
INNER JOIN named AS n ON d.id = n.id
INNER JOIN obs.observed_property AS p ON d.property = p.id
INNER JOIN obs.thing AS t ON d.thing = t.id
INNER JOIN obs.sensor AS s ON d.sensor = s.id
ORDER BY d.id
FOR NO KEY UPDATE OF d;
