SELECT
    wanted.name,
    role.rolname IS NULL AS missing,
    coalesce(role.rolsuper OR role.rolbypassrls OR role.rolcreaterole OR role.rolcreatedb, FALSE) AS powerful,
    coalesce(
        wanted.name LIKE '%\_reader\_%' AND (
            pg_catalog.has_schema_privilege(role.oid, 'public', 'CREATE')
            OR pg_catalog.has_schema_privilege(role.oid, 'geo', 'CREATE')
            OR pg_catalog.has_database_privilege(role.oid, pg_catalog.current_database(), 'CREATE')
            OR pg_catalog.has_database_privilege(role.oid, pg_catalog.current_database(), 'TEMPORARY')
        ), FALSE
    ) AS creates,
    coalesce(
        NOT role.rolcanlogin
        OR NOT pg_catalog.has_database_privilege(role.oid, pg_catalog.current_database(), 'CONNECT'), FALSE
    ) AS locked_out
FROM pg_catalog.unnest(cast(:names AS text[])) AS wanted (name)
LEFT JOIN pg_catalog.pg_roles AS role ON wanted.name = role.rolname
ORDER BY wanted.name;
