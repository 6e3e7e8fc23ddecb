SELECT
    f.fate,
    count(*) AS readings
FROM pg_temp.reading_fate AS f
GROUP BY f.fate;
