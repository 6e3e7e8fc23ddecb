-- Readings that are older than the rule of their property allows; the latest value goes with its reading.
WITH rules AS (
    SELECT
        d.id,
        now() - coalesce(own.keep, every.keep) AS oldest
    FROM obs.datastream AS d
    INNER JOIN obs.observed_property AS p ON d.property = p.id
    LEFT JOIN obs.retention AS own ON p.code = own.property
    LEFT JOIN obs.retention AS every ON every.property IS NULL
    WHERE
        coalesce(own.keep, every.keep) IS NOT NULL
        AND d.phenomenon_begin < now() - coalesce(own.keep, every.keep)
),

gone AS (
    DELETE FROM obs.observation AS o
    USING rules AS r
    WHERE o.datastream = r.id AND o.phenomenon_time < r.oldest
    RETURNING o.datastream
),

old AS (
    DELETE FROM obs.latest AS l
    USING rules AS r
    WHERE l.datastream = r.id AND l.phenomenon_time < r.oldest
),

begun AS (
    UPDATE obs.datastream AS d SET
        phenomenon_begin = (
            SELECT min(o.phenomenon_time) FROM obs.observation AS o
            WHERE o.datastream = d.id AND o.phenomenon_time >= r.oldest -- noqa: RF01
        ),
        phenomenon_end = CASE WHEN d.phenomenon_end >= r.oldest THEN d.phenomenon_end END
    FROM rules AS r
    WHERE d.id = r.id
)

SELECT count(*) FROM gone;
