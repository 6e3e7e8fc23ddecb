-- Functions, rights and row policies of the observations. Run by the owner after each migration; may be repeated.
-- Roles are named in the settings of the transaction: geoservice.prefix.

-- Parts are months from 2020 on, years before: few readings are old, and each part costs every plan a little.
CREATE OR REPLACE FUNCTION obs.ensure_part(moment timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    there timestamp := moment AT TIME ZONE 'UTC';
    span text := CASE WHEN there < '2020-01-01' THEN 'year' ELSE 'month' END;
    first timestamp := date_trunc(span, there);
    part text := 'observation_' || to_char(first, CASE span WHEN 'year' THEN 'YYYY' ELSE 'YYYYMM' END);
BEGIN
    IF there < '1800-01-01' OR there > now() AT TIME ZONE 'UTC' + interval '2 months' THEN
        RAISE EXCEPTION 'no readings are kept of %', moment;
    END IF;
    IF to_regclass(format('obs.%I', part)) IS NOT NULL THEN
        RETURN;
    END IF;
    -- Two writers may want the same part.
    PERFORM pg_advisory_xact_lock(hashtextextended('geoservice.obs.' || part, 0));
    IF to_regclass(format('obs.%I', part)) IS NOT NULL THEN
        RETURN;
    END IF;
    -- Made aside and attached: a part that is made in its place locks all readers out until the writer commits.
    EXECUTE format('CREATE TABLE obs.%I (LIKE obs.observation INCLUDING DEFAULTS)', part);
    EXECUTE format(
        'ALTER TABLE obs.observation ATTACH PARTITION obs.%I FOR VALUES FROM (%L) TO (%L)',
        part, first AT TIME ZONE 'UTC', (first + ('1 ' || span)::interval) AT TIME ZONE 'UTC'
    );
END
$body$;

-- Retention drops parts that it has emptied.
CREATE OR REPLACE FUNCTION obs.drop_empty_parts() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $body$
DECLARE
    part regclass;
    filled boolean;
    dropped integer := 0;
BEGIN
    FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'obs.observation'::regclass LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', part) INTO filled;
        IF filled THEN
            CONTINUE;
        END IF;
        -- A writer may be about to fill it: nobody waits, and it is looked at again once nobody can.
        BEGIN
            EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE NOWAIT', part);
            EXECUTE format('SELECT EXISTS (SELECT FROM %s)', part) INTO filled;
            IF NOT filled THEN
                EXECUTE format('DROP TABLE %s', part);
                dropped := dropped + 1;
            END IF;
        EXCEPTION WHEN lock_not_available THEN
            CONTINUE;
        END;
    END LOOP;
    RETURN dropped;
END
$body$;

REVOKE ALL ON FUNCTION obs.ensure_part(timestamptz) FROM public;
REVOKE ALL ON FUNCTION obs.drop_empty_parts() FROM public;

-- Policies stand on these tables on every server: what they are searched by are numbers, texts and times, whose
-- operators are leakproof everywhere, so that their indexes serve; only searches by place read all places instead.
DO $rights$
DECLARE
    prefix text := current_setting('geoservice.prefix');
    levels text[] := ARRAY['public', 'internal', 'restricted'];
    seen text[] := ARRAY[
        'thing', 'location', 'thing_location', 'sensor', 'observed_property', 'feature_of_interest', 'datastream',
        'observation', 'latest', 'rollup_hour', 'rollup_day', 'rollup_month', 'rollup_due'
    ];
    name text;
    rank integer;
    reader text;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA obs TO %I', prefix || '_writer');
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA obs TO %I', prefix || '_writer');
    EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA obs TO %I', prefix || '_writer');
    EXECUTE format('GRANT EXECUTE ON FUNCTION obs.ensure_part(timestamptz) TO %I', prefix || '_writer');
    EXECUTE format('GRANT EXECUTE ON FUNCTION obs.drop_empty_parts() TO %I', prefix || '_writer');
    FOREACH name IN ARRAY seen LOOP
        EXECUTE format('ALTER TABLE obs.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('DROP POLICY IF EXISTS keepers ON obs.%I', name);
        EXECUTE format(
            'CREATE POLICY keepers ON obs.%I TO %I, %I USING (true) WITH CHECK (true)',
            name, prefix || '_owner', prefix || '_writer'
        );
        FOR rank IN 0..2 LOOP
            reader := prefix || '_reader_' || levels[rank + 1];
            EXECUTE format('GRANT USAGE ON SCHEMA obs TO %I', reader);
            EXECUTE format('GRANT SELECT ON obs.%I TO %I', name, reader);
            EXECUTE format('DROP POLICY IF EXISTS %I ON obs.%I', levels[rank + 1], name);
            EXECUTE format(
                'CREATE POLICY %I ON obs.%I FOR SELECT TO %I USING (clearance <= %s)',
                levels[rank + 1], name, reader, rank
            );
        END LOOP;
    END LOOP;
END
$rights$;
