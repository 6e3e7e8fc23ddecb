-- Rights and row policies of the live situation. Run by the owner after each migration; may be repeated.
-- Roles are named in the settings of the transaction: geoservice.prefix.
DO $rights$
DECLARE
    prefix text := current_setting('geoservice.prefix');
    levels text[] := ARRAY['public', 'internal', 'restricted'];
    name text;
    rank integer;
    reader text;
    shown text;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA situation TO %I', prefix || '_writer');
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA situation TO %I', prefix || '_writer');
    EXECUTE format('GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA situation TO %I', prefix || '_writer');
    FOREACH name IN ARRAY ARRAY['exercise', 'member', 'unit', 'track', 'mark', 'mark_version'] LOOP
        EXECUTE format('ALTER TABLE situation.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('DROP POLICY IF EXISTS keepers ON situation.%I', name);
        EXECUTE format(
            'CREATE POLICY keepers ON situation.%I TO %I, %I USING (true) WITH CHECK (true)',
            name, prefix || '_owner', prefix || '_writer'
        );
        -- Which key wrote a row is not for readers.
        SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum) INTO shown
        FROM pg_attribute AS a
        WHERE a.attrelid = format('situation.%I', name)::regclass
            AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'principal';
        FOR rank IN 0..2 LOOP
            reader := prefix || '_reader_' || levels[rank + 1];
            EXECUTE format('GRANT USAGE ON SCHEMA situation TO %I', reader);
            EXECUTE format('GRANT SELECT (%s) ON situation.%I TO %I', shown, name, reader);
            EXECUTE format('DROP POLICY IF EXISTS %I ON situation.%I', levels[rank + 1], name);
            EXECUTE format(
                'CREATE POLICY %I ON situation.%I FOR SELECT TO %I USING (clearance <= %s)',
                levels[rank + 1], name, reader, rank
            );
        END LOOP;
    END LOOP;
END
$rights$;
