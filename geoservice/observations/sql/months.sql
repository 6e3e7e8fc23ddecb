SELECT obs.ensure_part(min(l.phenomenon_time))
FROM pg_temp.reading_landed AS l
GROUP BY date_trunc('month', l.phenomenon_time, 'UTC')
ORDER BY date_trunc('month', l.phenomenon_time, 'UTC');
