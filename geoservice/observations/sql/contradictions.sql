SELECT f.position
FROM pg_temp.reading_fate AS f
WHERE f.fate = 'contradicts'
ORDER BY f.position;
