-- Under which number each reading stands, whether it was written now or before.
SELECT
    f.position,
    coalesce(p.observation, f.observation) AS observation
FROM pg_temp.reading_fate AS f
INNER JOIN pg_temp.reading_landed AS l ON f.position = l.position
LEFT JOIN pg_temp.reading_placed AS p
    ON l.stream = p.stream AND l.phenomenon_time = p.phenomenon_time AND f.result_time = p.result_time
WHERE f.fate <> 'contradicts'
ORDER BY f.position;
