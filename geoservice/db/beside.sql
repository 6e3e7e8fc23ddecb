-- First loads build their table beside the empty one and put it in its place: rows are written once, several indexes
-- are built at a time, and readers wait for a moment only. The writer owns no tables; the owner lends these actions.
-- Run by the owner after sync.sql; may be repeated. geoservice.prefix names the roles.

CREATE OR REPLACE FUNCTION meta.require_beside(layer text, name text) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF left(name, length(layer) + 2) <> layer || '__' OR right(name, -length(layer) - 2) !~ '^[0-9a-f]{8}_new$' THEN
        RAISE EXCEPTION 'a table beside % is not called %', layer, name;
    END IF;
END
$body$;

-- Answers false, and makes nothing, where the table has rows or is more than a plain table that nothing hangs on.
CREATE OR REPLACE FUNCTION meta.make_beside(layer text, name text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    place regclass := to_regclass(format('geo.%I', layer));
    filled boolean;
BEGIN
    PERFORM meta.require_beside(layer, name);
    IF place IS NULL OR EXISTS (SELECT FROM pg_class WHERE oid = place AND relkind <> 'r') OR EXISTS (
        SELECT FROM pg_depend
        WHERE refobjid = place AND classid IN ('pg_rewrite'::regclass, 'pg_proc'::regclass)
    ) THEN
        RETURN false;
    END IF;
    -- A layer that has had rows goes on counting its features; numbers of the past are not given out again.
    EXECUTE format('SELECT EXISTS (SELECT FROM geo.%I) OR EXISTS (SELECT FROM hist.%I)', layer, layer) INTO filled;
    IF filled THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE staging.%I (LIKE geo.%I INCLUDING CONSTRAINTS)', name, layer);
    -- The same for all rows of an edition, and known at the end only: such columns are added without touching a row.
    EXECUTE format('ALTER TABLE staging.%I DROP COLUMN _edition, DROP COLUMN _valid_from', name);
    EXECUTE format('GRANT SELECT, INSERT ON staging.%I TO %I', name, session_user);
    RETURN true;
END
$body$;

CREATE OR REPLACE FUNCTION meta.index_beside(
    layer text, name text, index_name text, method text, columns text[], distinct_rows boolean
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    PERFORM meta.require_beside(layer, name);
    IF method NOT IN ('btree', 'gist') THEN
        RAISE EXCEPTION 'an index is btree or gist, not %', method;
    END IF;
    EXECUTE format(
        'CREATE %s INDEX %I ON staging.%I USING %I (%s)',
        CASE WHEN distinct_rows THEN 'UNIQUE' END, index_name, name, method,
        (SELECT string_agg(format('%I', c.name), ', ' ORDER BY c.place)
         FROM unnest(columns) WITH ORDINALITY AS c (name, place))
    );
END
$body$;

CREATE OR REPLACE FUNCTION meta.drop_beside(layer text, name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    PERFORM meta.require_beside(layer, name);
    EXECUTE format('DROP TABLE IF EXISTS staging.%I', name);
END
$body$;

-- Rights and row policies of one table for another.
CREATE OR REPLACE FUNCTION meta.copy_rights(old regclass, fresh regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    entry record;
BEGIN
    FOR entry IN
        SELECT NULL::name AS attname, a.privilege_type, a.grantee
        FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a
        WHERE c.oid = old AND a.grantee <> c.relowner
        UNION ALL
        SELECT t.attname, a.privilege_type, a.grantee
        FROM pg_attribute AS t CROSS JOIN aclexplode(t.attacl) AS a
        WHERE t.attrelid = old AND NOT t.attisdropped
    LOOP
        EXECUTE format(
            'GRANT %s %s ON %s TO %s', entry.privilege_type,
            CASE WHEN entry.attname IS NOT NULL THEN format('(%I)', entry.attname) END, fresh,
            CASE WHEN entry.grantee = 0 THEN 'PUBLIC' ELSE format('%I', pg_get_userbyid(entry.grantee)) END
        );
    END LOOP;
    FOR entry IN
        SELECT
            p.polname,
            CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END AS mode,
            CASE p.polcmd
                WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL'
            END AS command,
            (SELECT string_agg(CASE WHEN r.id = 0 THEN 'PUBLIC' ELSE format('%I', pg_get_userbyid(r.id)) END, ', ')
             FROM unnest(p.polroles) AS r (id)) AS roles,
            pg_get_expr(p.polqual, p.polrelid) AS visible,
            pg_get_expr(p.polwithcheck, p.polrelid) AS writable
        FROM pg_policy AS p
        WHERE p.polrelid = old
    LOOP
        EXECUTE format(
            'CREATE POLICY %I ON %s AS %s FOR %s TO %s %s %s', entry.polname, fresh, entry.mode, entry.command,
            entry.roles, 'USING (' || entry.visible || ')', 'WITH CHECK (' || entry.writable || ')'
        );
    END LOOP;
    SELECT relrowsecurity, relforcerowsecurity INTO entry FROM pg_class WHERE oid = old;
    IF entry.relrowsecurity THEN
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', fresh);
    END IF;
    IF entry.relforcerowsecurity THEN
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', fresh);
    END IF;
END
$body$;

-- The table beside takes the place of the empty one, with its rights; all its rows belong to one edition.
CREATE OR REPLACE FUNCTION meta.adopt_beside(layer text, name text, edition bigint, moment timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    old regclass := to_regclass(format('geo.%I', layer));
    fresh regclass := to_regclass(format('staging.%I', name));
    primary_key text;
    filled boolean;
    last bigint;
BEGIN
    PERFORM meta.require_beside(layer, name);
    EXECUTE format('LOCK TABLE geo.%I IN ACCESS EXCLUSIVE MODE', layer);
    -- A layer that has had rows goes on counting its features; numbers of the past are not given out again.
    EXECUTE format('SELECT EXISTS (SELECT FROM geo.%I) OR EXISTS (SELECT FROM hist.%I)', layer, layer) INTO filled;
    IF filled THEN
        RAISE EXCEPTION 'the table geo.% has rows', layer;
    END IF;
    EXECUTE format(
        'ALTER TABLE %s ADD COLUMN _edition bigint NOT NULL DEFAULT %s, ADD COLUMN _valid_from timestamptz NOT NULL '
        'DEFAULT %L', fresh, edition, moment
    );
    EXECUTE format(
        'ALTER TABLE %s ALTER COLUMN _edition DROP DEFAULT, ALTER COLUMN _valid_from DROP DEFAULT', fresh
    );
    EXECUTE format('REVOKE ALL ON %s FROM %I', fresh, session_user);
    PERFORM meta.copy_rights(old, fresh);
    SELECT conname INTO primary_key FROM pg_constraint WHERE conrelid = old AND contype = 'p';
    EXECUTE format('DROP TABLE geo.%I', layer);
    EXECUTE format('ALTER TABLE staging.%I SET SCHEMA geo', name);
    EXECUTE format('ALTER TABLE geo.%I RENAME TO %I', name, layer);
    EXECUTE format('ALTER TABLE geo.%I ADD CONSTRAINT %I PRIMARY KEY USING INDEX %I', layer, primary_key, primary_key);
    EXECUTE format('ALTER TABLE geo.%I ALTER COLUMN fid ADD GENERATED BY DEFAULT AS IDENTITY', layer);
    EXECUTE format('SELECT max(fid) FROM geo.%I', layer) INTO last;
    PERFORM setval(pg_get_serial_sequence(format('geo.%I', layer), 'fid'), last);
END
$body$;

REVOKE ALL ON FUNCTION meta.require_beside(text, text) FROM public;
REVOKE ALL ON FUNCTION meta.make_beside(text, text) FROM public;
REVOKE ALL ON FUNCTION meta.index_beside(text, text, text, text, text[], boolean) FROM public;
REVOKE ALL ON FUNCTION meta.drop_beside(text, text) FROM public;
REVOKE ALL ON FUNCTION meta.copy_rights(regclass, regclass) FROM public;
REVOKE ALL ON FUNCTION meta.adopt_beside(text, text, bigint, timestamptz) FROM public;

DO $rights$
DECLARE
    writer text := current_setting('geoservice.prefix') || '_writer';
BEGIN
    EXECUTE format('GRANT EXECUTE ON FUNCTION meta.make_beside(text, text) TO %I', writer);
    EXECUTE format(
        'GRANT EXECUTE ON FUNCTION meta.index_beside(text, text, text, text, text[], boolean) TO %I', writer
    );
    EXECUTE format('GRANT EXECUTE ON FUNCTION meta.drop_beside(text, text) TO %I', writer);
    EXECUTE format('GRANT EXECUTE ON FUNCTION meta.adopt_beside(text, text, bigint, timestamptz) TO %I', writer);
END
$rights$;
