SELECT
    min(p.observation) AS first,
    max(p.observation) AS last
FROM pg_temp.reading_placed AS p;
