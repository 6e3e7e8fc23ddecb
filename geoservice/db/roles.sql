-- Roles, schemas and rights of one geoservice database. Run by an administrator, in one transaction; may be repeated.
-- Parameters come as settings of the transaction:
--   geoservice.prefix  prefix of the role names
--   geoservice.fingerprint  short hash of this script, remembered in the database
--   geoservice.verifiers  JSON object: role name -> SCRAM verifier (never a password in clear)

SELECT pg_catalog.set_config('search_path', 'pg_catalog', true);

-- Two administrators at once would collide on shared catalogues.
SELECT pg_catalog.pg_advisory_xact_lock(7203314110525731);

-- 1. Login roles without any power of their own.
DO $roles$
DECLARE
    entry record;
    current record;
BEGIN
    FOR entry IN
        SELECT key AS name, value AS verifier
        FROM json_each_text(current_setting('geoservice.verifiers')::json)
    LOOP
        SELECT rolsuper OR rolbypassrls OR rolreplication AS powerful INTO current
        FROM pg_roles WHERE rolname = entry.name;
        IF NOT FOUND THEN
            EXECUTE format(
                'CREATE ROLE %I LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION', entry.name
            );
        ELSIF current.powerful THEN
            RAISE EXCEPTION 'role % exists and has special powers; choose another role prefix', entry.name;
        END IF;
        EXECUTE format('ALTER ROLE %I LOGIN NOCREATEDB NOCREATEROLE PASSWORD %L', entry.name, entry.verifier);
    END LOOP;
END
$roles$;

-- 2. The database is closed to everybody who is not named here; PUBLIC may create nothing, not even temporary tables.
DO $database$
DECLARE
    prefix text := current_setting('geoservice.prefix');
    database text := current_database();
    suffix text;
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', database);
    EXECUTE format('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO %I', database, prefix || '_owner');
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', database, prefix || '_writer');
    FOREACH suffix IN ARRAY ARRAY['_reader_public', '_reader_internal', '_reader_restricted'] LOOP
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', database, prefix || suffix);
        EXECUTE format('ALTER ROLE %I SET default_transaction_read_only = on', prefix || suffix);
        EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = %L', prefix || suffix, '5min');
    END LOOP;
    FOREACH suffix IN ARRAY ARRAY['_owner', '_writer', '_reader_public', '_reader_internal', '_reader_restricted'] LOOP
        EXECUTE format('ALTER ROLE %I SET search_path = pg_catalog, public', prefix || suffix);
        EXECUTE format('ALTER ROLE %I SET jit = off', prefix || suffix);
    END LOOP;
END
$database$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO PUBLIC;

-- 3. Extensions. PostGIS is a must; trigrams and unaccent serve the name search where the server has them.
DO $extensions$
DECLARE
    wanted text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'postgis') THEN
        RAISE EXCEPTION 'PostGIS is not installed on the server (Debian: postgresql-15-postgis-3)';
    END IF;
    CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA public;
    IF NOT EXISTS (
        SELECT FROM pg_extension WHERE extname = 'postgis' AND extnamespace = 'public'::regnamespace
    ) THEN
        RAISE EXCEPTION 'PostGIS is installed in another schema than public; use a database of its own for geoservice';
    END IF;
    FOR wanted IN
        SELECT name FROM pg_available_extensions WHERE name IN ('pg_trgm', 'unaccent')
    LOOP
        EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I WITH SCHEMA public', wanted);
    END LOOP;
END
$extensions$;

-- 4. Schemas: geo (current rows), hist (superseded rows), ladder (rows generalised for low zooms), staging (loads
-- under way), meta (bookkeeping).
DO $schemas$
DECLARE
    prefix text := current_setting('geoservice.prefix');
    owner text := current_setting('geoservice.prefix') || '_owner';
    writer text := current_setting('geoservice.prefix') || '_writer';
    member boolean := pg_has_role(current_user, current_setting('geoservice.prefix') || '_owner', 'MEMBER');
    place text;
    suffix text;
BEGIN
    -- An administrator who is no superuser must belong to the owner for a moment to hand schemas over.
    IF NOT member THEN
        EXECUTE format('GRANT %I TO %I', owner, current_user);
    END IF;
    FOREACH place IN ARRAY ARRAY['geo', 'hist', 'ladder', 'staging', 'meta'] LOOP
        EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', place, owner);
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', place);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', place, writer);
    END LOOP;
    EXECUTE format('GRANT CREATE ON SCHEMA staging TO %I', writer);
    FOREACH place IN ARRAY ARRAY['geo', 'hist', 'ladder', 'meta'] LOOP
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I',
            owner, place, writer
        );
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT USAGE, SELECT ON SEQUENCES TO %I',
            owner, place, writer
        );
        FOREACH suffix IN ARRAY ARRAY['_reader_public', '_reader_internal', '_reader_restricted'] LOOP
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', place, prefix || suffix);
        END LOOP;
    END LOOP;
    EXECUTE format('COMMENT ON SCHEMA meta IS %L', current_setting('geoservice.fingerprint'));
    IF NOT member THEN
        EXECUTE format('REVOKE %I FROM %I', owner, current_user);
    END IF;
END
$schemas$;

-- 5. What only a superuser can do.
-- geometry_overlaps (the && operator) compares two bounding boxes that are stored in the values. It raises no error
-- and writes no message that depends on a value, so it cannot tell a caller anything about rows that a policy hides.
-- Marked LEAKPROOF it may run before the policy, which is what lets a policy and a spatial index work together.
-- Large objects are the one thing any role may otherwise create without a schema.
DO $superuser$
DECLARE
    routine regprocedure;
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RETURN;
    END IF;
    ALTER FUNCTION public.geometry_overlaps(public.geometry, public.geometry) LEAKPROOF;
    FOR routine IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace AND proname IN ('lo_creat', 'lo_create', 'lo_from_bytea')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', routine);
    END LOOP;
END
$superuser$;
