-- Hours from the readings that count, days from hours, months from days. Readings marked bad or missing, and those
-- of a device that is calibrated or serviced, do not count.
DELETE FROM obs.rollup_hour AS h
USING pg_temp.rollup_taken AS t
WHERE h.datastream = t.datastream AND h.begins >= t.day AND h.begins < t.day_end;

INSERT INTO obs.rollup_hour (datastream, begins, readings, lowest, highest, total, completeness, clearance)
SELECT
    t.datastream,
    date_trunc('hour', o.phenomenon_time, t.zone) AS begins,
    count(*) AS readings,
    min(o.number) AS lowest,
    max(o.number) AS highest,
    sum(o.number) AS total,
    CASE
        WHEN min(t.cadence) IS NOT NULL
            THEN least(1, count(*) * min(t.cadence) / 3600)
    END AS completeness,
    max(o.clearance) AS clearance
FROM pg_temp.rollup_taken AS t
INNER JOIN obs.observation AS o
    ON t.datastream = o.datastream AND t.day <= o.phenomenon_time AND t.day_end > o.phenomenon_time
WHERE
    NOT o.superseded AND o.number IS NOT NULL
    AND coalesce(o.quality, '') NOT IN ('bad', 'missing', 'calibration', 'maintenance')
GROUP BY t.datastream, begins;

DELETE FROM obs.rollup_day AS d
USING pg_temp.rollup_taken AS t
WHERE d.datastream = t.datastream AND d.begins = t.day;

INSERT INTO obs.rollup_day (datastream, begins, readings, lowest, highest, total, completeness, clearance)
SELECT
    t.datastream,
    t.day,
    sum(h.readings) AS readings,
    min(h.lowest) AS lowest,
    max(h.highest) AS highest,
    sum(h.total) AS total,
    CASE
        WHEN min(t.cadence) IS NOT NULL
            THEN least(1, sum(h.readings) * min(t.cadence) / extract(EPOCH FROM min(t.day_end - t.day)))
    END AS completeness,
    max(h.clearance) AS clearance
FROM pg_temp.rollup_taken AS t
INNER JOIN obs.rollup_hour AS h ON t.datastream = h.datastream AND t.day <= h.begins AND t.day_end > h.begins
GROUP BY t.datastream, t.day;

DELETE FROM obs.rollup_month AS m
USING pg_temp.rollup_taken AS t
WHERE m.datastream = t.datastream AND m.begins = t.month;

INSERT INTO obs.rollup_month (datastream, begins, readings, lowest, highest, total, completeness, clearance)
SELECT
    t.datastream,
    t.month,
    sum(d.readings) AS readings,
    min(d.lowest) AS lowest,
    max(d.highest) AS highest,
    sum(d.total) AS total,
    CASE
        WHEN min(t.cadence) IS NOT NULL
            THEN least(1, sum(d.readings) * min(t.cadence) / extract(EPOCH FROM min(t.month_end - t.month)))
    END AS completeness,
    max(d.clearance) AS clearance
FROM (SELECT DISTINCT
    datastream,
    cadence,
    month,
    month_end
FROM pg_temp.rollup_taken) AS t
INNER JOIN obs.rollup_day AS d ON t.datastream = d.datastream AND t.month <= d.begins AND t.month_end > d.begins
GROUP BY t.datastream, t.month;
