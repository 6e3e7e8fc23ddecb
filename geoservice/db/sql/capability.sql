SELECT
    pg_catalog.current_setting('server_version_num')::integer AS postgres,
    public.postgis_lib_version() AS postgis,
    pg_catalog.split_part(public.postgis_geos_version(), '-', 1) AS geos,
    pg_catalog.split_part(public.postgis_proj_version(), ' ', 1) AS proj,
    (
        SELECT pg_catalog.bool_or(routine.proleakproof)
        FROM pg_catalog.pg_proc AS routine
        WHERE routine.oid = pg_catalog.to_regprocedure('public.geometry_overlaps(public.geometry, public.geometry)')
    ) AS leakproof,
    EXISTS(
        SELECT 1 FROM pg_catalog.pg_extension
        WHERE extname = 'pg_trgm'
    ) AS trigram,
    EXISTS(
        SELECT 1 FROM pg_catalog.pg_extension
        WHERE extname = 'unaccent'
    ) AS unaccent;
