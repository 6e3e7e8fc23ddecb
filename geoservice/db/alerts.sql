-- Rights and row policies of the alerts. Run by the owner after each migration; may be repeated.
-- Roles are named in the settings of the transaction: geoservice.prefix.
DO $rights$
DECLARE
    prefix text := current_setting('geoservice.prefix');
    levels text[] := ARRAY['public', 'internal', 'restricted'];
    name text;
    rank integer;
    reader text;
    shown text;
    seen text;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA alert TO %I', prefix || '_writer');
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA alert TO %I', prefix || '_writer');
    EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA alert TO %I', prefix || '_writer');
    -- Drafts, envelopes, certificates and feeds are nobody's but the writer's.
    FOREACH name IN ARRAY ARRAY['message', 'reference', 'area'] LOOP
        EXECUTE format('ALTER TABLE alert.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('DROP POLICY IF EXISTS keepers ON alert.%I', name);
        EXECUTE format(
            'CREATE POLICY keepers ON alert.%I TO %I, %I USING (true) WITH CHECK (true)',
            name, prefix || '_owner', prefix || '_writer'
        );
        -- Who handed a message in, and of which envelope it is, is not for readers.
        SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum) INTO shown
        FROM pg_attribute AS a
        WHERE a.attrelid = format('alert.%I', name)::regclass
            AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT IN ('principal', 'envelope');
        seen := CASE WHEN name = 'message' THEN 'clearance <= %s AND verdict = ''kept''' ELSE 'clearance <= %s' END;
        FOR rank IN 0..2 LOOP
            reader := prefix || '_reader_' || levels[rank + 1];
            EXECUTE format('GRANT USAGE ON SCHEMA alert TO %I', reader);
            EXECUTE format('GRANT SELECT (%s) ON alert.%I TO %I', shown, name, reader);
            EXECUTE format('DROP POLICY IF EXISTS %I ON alert.%I', levels[rank + 1], name);
            EXECUTE format(
                'CREATE POLICY %I ON alert.%I FOR SELECT TO %I USING (%s)',
                levels[rank + 1], name, reader, format(seen, rank)
            );
        END LOOP;
    END LOOP;
END
$rights$;
