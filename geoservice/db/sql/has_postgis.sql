SELECT EXISTS(
    SELECT 1 FROM pg_catalog.pg_extension
    WHERE extname = 'postgis'
) AS found;
