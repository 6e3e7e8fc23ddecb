-- Functions and row security of the system tables. Run by the owner after each migration; may be repeated.
-- Roles are named in the settings of the transaction: geoservice.prefix.

-- Months of a series are made on demand by loads; the writer owns no tables, so the owner lends this one action.
CREATE OR REPLACE FUNCTION meta.ensure_month(series text, month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    first date := date_trunc('month', month)::date;
    part text := format('%s_%s', series, to_char(first, 'YYYYMM'));
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_class AS c
        INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'geo' AND c.relname = series AND c.relkind = 'p'
    ) THEN
        RAISE EXCEPTION 'there is no series %', series;
    END IF;
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS geo.%I PARTITION OF geo.%I FOR VALUES FROM (%L) TO (%L)',
        part, series, first::timestamp AT TIME ZONE 'UTC', (first + interval '1 month')::timestamp AT TIME ZONE 'UTC'
    );
END
$body$;

-- Indexes of a layer are built by its first load, after the rows; the owner lends the writer this action too.
CREATE OR REPLACE FUNCTION meta.ensure_index(
    layer text, name text, method text, columns text[], distinct_rows boolean
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF method NOT IN ('btree', 'gist', 'brin') THEN
        RAISE EXCEPTION 'an index is btree, gist or brin, not %', method;
    END IF;
    IF to_regclass(format('geo.%I', name)) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format(
        'CREATE %s INDEX %I ON geo.%I USING %I (%s)', CASE WHEN distinct_rows THEN 'UNIQUE' END, name, layer, method,
        (SELECT string_agg(format('%I', c.name), ', ' ORDER BY c.place)
         FROM unnest(columns) WITH ORDINALITY AS c (name, place))
    );
END
$body$;

-- Who holds a key: readers see the answer for one digest, never the table.
-- A function whose answer gets another column cannot be replaced; the one of older versions goes first.
DO $old$
BEGIN
    IF EXISTS (
        SELECT FROM pg_proc WHERE oid = to_regprocedure('meta.holder(bytea)') AND NOT 'name' = ANY(proargnames)
    ) THEN
        DROP FUNCTION meta.holder(bytea);
    END IF;
END
$old$;

CREATE OR REPLACE FUNCTION meta.holder(wanted bytea)
RETURNS TABLE (id text, clearance smallint, rights text[], name text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT k.id, k.clearance, k.rights, k.name FROM meta.api_key AS k
    WHERE k.digest = wanted AND k.revoked IS NULL
$body$;

REVOKE ALL ON FUNCTION meta.ensure_month(text, date) FROM public;
REVOKE ALL ON FUNCTION meta.ensure_index(text, text, text, text[], boolean) FROM public;
REVOKE ALL ON FUNCTION meta.holder(bytea) FROM public;

DO $rights$
DECLARE
    prefix text := current_setting('geoservice.prefix');
    levels text[] := ARRAY['public', 'internal', 'restricted'];
    name text;
    rank integer;
    above integer;
    reader text;
    shown text;
BEGIN
    EXECUTE format('GRANT EXECUTE ON FUNCTION meta.ensure_month(text, date) TO %I', prefix || '_writer');
    EXECUTE format(
        'GRANT EXECUTE ON FUNCTION meta.ensure_index(text, text, text, text[], boolean) TO %I', prefix || '_writer'
    );
    FOR rank IN 0..2 LOOP
        reader := prefix || '_reader_' || levels[rank + 1];
        EXECUTE format('GRANT EXECUTE ON FUNCTION meta.holder(bytea) TO %I', reader);
        FOREACH name IN ARRAY ARRAY['layer_state', 'layer_figures', 'raster_asset'] LOOP
            EXECUTE format('GRANT SELECT ON meta.%I TO %I', name, reader);
        END LOOP;
        -- A report may tell of rows above its layer. No reader has it; the service tells what each may know of it.
        FOREACH name IN ARRAY ARRAY['edition', 'load_report'] LOOP
            SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum) INTO shown
            FROM pg_attribute AS a
            WHERE a.attrelid = format('meta.%I', name)::regclass
                AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'report';
            -- Takes back the whole table too, as older versions granted it.
            EXECUTE format('REVOKE ALL ON meta.%I FROM %I', name, reader);
            EXECUTE format('GRANT SELECT (%s) ON meta.%I TO %I', shown, name, reader);
        END LOOP;
    END LOOP;
    -- Names lie in one table per clearance, without row policies, so that every index serves.
    FOR rank IN 0..2 LOOP
        FOR above IN 0..rank LOOP
            FOREACH name IN ARRAY ARRAY['name_', 'term_'] LOOP
                EXECUTE format(
                    'GRANT SELECT ON meta.%I TO %I', name || levels[above + 1], prefix || '_reader_' || levels[rank + 1]
                );
            END LOOP;
        END LOOP;
    END LOOP;
    -- Who could see a version that was closed further may know that it is gone.
    ALTER TABLE meta.raised ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    DROP POLICY IF EXISTS keepers ON meta.raised;
    EXECUTE format(
        'CREATE POLICY keepers ON meta.raised TO %I, %I USING (true) WITH CHECK (true)',
        prefix || '_owner', prefix || '_writer'
    );
    FOR rank IN 0..2 LOOP
        EXECUTE format('GRANT SELECT ON meta.raised TO %I', prefix || '_reader_' || levels[rank + 1]);
        EXECUTE format('DROP POLICY IF EXISTS %I ON meta.raised', levels[rank + 1]);
        EXECUTE format(
            'CREATE POLICY %I ON meta.raised FOR SELECT TO %I USING (was <= %s)',
            levels[rank + 1], prefix || '_reader_' || levels[rank + 1], rank
        );
    END LOOP;
    -- A kept zone has a clearance of its own.
    ALTER TABLE meta.hazard_zone ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    DROP POLICY IF EXISTS keepers ON meta.hazard_zone;
    EXECUTE format(
        'CREATE POLICY keepers ON meta.hazard_zone TO %I, %I USING (true) WITH CHECK (true)',
        prefix || '_owner', prefix || '_writer'
    );
    FOR rank IN 0..2 LOOP
        EXECUTE format('GRANT SELECT ON meta.hazard_zone TO %I', prefix || '_reader_' || levels[rank + 1]);
        EXECUTE format('DROP POLICY IF EXISTS %I ON meta.hazard_zone', levels[rank + 1]);
        EXECUTE format(
            'CREATE POLICY %I ON meta.hazard_zone FOR SELECT TO %I USING (clearance <= %s)',
            levels[rank + 1], prefix || '_reader_' || levels[rank + 1], rank
        );
    END LOOP;
    -- Boxes of changes are of hidden rows too: who may see every row may see them.
    EXECUTE format('GRANT SELECT ON meta.tile_change TO %I', prefix || '_reader_restricted');
    FOREACH name IN ARRAY ARRAY['edition', 'layer_state', 'layer_figures', 'raster_asset', 'load_report'] LOOP
        EXECUTE format('ALTER TABLE meta.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('DROP POLICY IF EXISTS keepers ON meta.%I', name);
        EXECUTE format(
            'CREATE POLICY keepers ON meta.%I TO %I, %I USING (true) WITH CHECK (true)',
            name, prefix || '_owner', prefix || '_writer'
        );
        FOR rank IN 0..2 LOOP
            EXECUTE format('DROP POLICY IF EXISTS %I ON meta.%I', levels[rank + 1], name);
            EXECUTE format(
                'CREATE POLICY %I ON meta.%I FOR SELECT TO %I USING (clearance <= %s)',
                levels[rank + 1], name, prefix || '_reader_' || levels[rank + 1], rank
            );
        END LOOP;
    END LOOP;
END
$rights$;
