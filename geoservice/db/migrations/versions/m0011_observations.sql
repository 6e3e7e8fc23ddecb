-- Schema obs: the model of OGC SensorThings, kept once for every interface. Run by the owner.
CREATE SCHEMA obs;
REVOKE ALL ON SCHEMA obs FROM public;

CREATE TABLE obs.thing (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE DEFAULT gen_random_uuid()::text,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    properties jsonb,
    clearance smallint NOT NULL DEFAULT 0 CHECK (clearance BETWEEN 0 AND 2)
);

CREATE TABLE obs.location (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE DEFAULT gen_random_uuid()::text,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    properties jsonb,
    encoding text NOT NULL DEFAULT 'application/geo+json',
    -- As it was given (CRS84); geom is what it is found by.
    geojson jsonb NOT NULL,
    geom public.GEOMETRY (GEOMETRY, 4490),
    clearance smallint NOT NULL DEFAULT 0 CHECK (clearance BETWEEN 0 AND 2)
);
CREATE INDEX location_geom ON obs.location USING gist (geom);

-- Where a thing was from when to when; the open rows say where it is.
CREATE TABLE obs.thing_location (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    thing bigint NOT NULL REFERENCES obs.thing (id) ON DELETE CASCADE,
    location bigint NOT NULL REFERENCES obs.location (id) ON DELETE CASCADE,
    since timestamptz NOT NULL DEFAULT now(),
    until timestamptz,
    clearance smallint NOT NULL DEFAULT 0 CHECK (clearance BETWEEN 0 AND 2),
    UNIQUE (thing, location, since)
);
CREATE INDEX thing_location_open ON obs.thing_location (thing) WHERE until IS NULL;
CREATE INDEX thing_location_location ON obs.thing_location (location);

CREATE TABLE obs.sensor (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE DEFAULT gen_random_uuid()::text,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    properties jsonb,
    encoding text NOT NULL DEFAULT 'text/html',
    metadata jsonb NOT NULL DEFAULT '""',
    clearance smallint NOT NULL DEFAULT 0 CHECK (clearance BETWEEN 0 AND 2)
);

CREATE TABLE obs.observed_property (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE DEFAULT gen_random_uuid()::text,
    name text NOT NULL,
    definition text NOT NULL,
    description text NOT NULL DEFAULT '',
    properties jsonb,
    -- The unit (code of list unit@1) of lowest and highest, between which a reading is believed.
    unit text,
    lowest double precision,
    highest double precision,
    clearance smallint NOT NULL DEFAULT 0 CHECK (clearance BETWEEN 0 AND 2)
);

CREATE TABLE obs.feature_of_interest (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE DEFAULT gen_random_uuid()::text,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    properties jsonb,
    encoding text NOT NULL DEFAULT 'application/geo+json',
    geojson jsonb NOT NULL,
    geom public.GEOMETRY (GEOMETRY, 4490),
    clearance smallint NOT NULL DEFAULT 0 CHECK (clearance BETWEEN 0 AND 2)
);
CREATE INDEX feature_of_interest_geom ON obs.feature_of_interest USING gist (geom);

CREATE TABLE obs.datastream (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE DEFAULT gen_random_uuid()::text,
    thing bigint NOT NULL REFERENCES obs.thing (id) ON DELETE CASCADE,
    sensor bigint NOT NULL REFERENCES obs.sensor (id) ON DELETE CASCADE,
    property bigint NOT NULL REFERENCES obs.observed_property (id) ON DELETE CASCADE,
    -- Feature of interest of readings that name none.
    foi bigint REFERENCES obs.feature_of_interest (id) ON DELETE SET NULL,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    properties jsonb,
    observation_type text NOT NULL,
    unit_name text,
    unit_symbol text,
    unit_definition text,
    -- Code of list unit@1 when the unit is one of those that can be converted.
    unit text,
    -- How often a reading is due; completeness is counted against it.
    cadence interval,
    -- Days and months of roll-ups are those of this time zone.
    zone text NOT NULL DEFAULT 'UTC',
    phenomenon_begin timestamptz,
    phenomenon_end timestamptz,
    result_begin timestamptz,
    result_end timestamptz,
    observed_area public.GEOMETRY (GEOMETRY, 4490),
    clearance smallint NOT NULL DEFAULT 0 CHECK (clearance BETWEEN 0 AND 2)
) WITH (fillfactor = 70);
CREATE INDEX datastream_thing ON obs.datastream (thing, property);
CREATE INDEX datastream_property ON obs.datastream (property);
CREATE INDEX datastream_sensor ON obs.datastream (sensor);
CREATE INDEX datastream_foi ON obs.datastream (foi) WHERE foi IS NOT NULL;

-- One committed write of readings. No reader may select it.
CREATE TABLE obs.batch (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    source text NOT NULL,
    principal text NOT NULL,
    sha256 text,
    received timestamptz NOT NULL DEFAULT now(),
    readings bigint NOT NULL DEFAULT 0,
    inserted bigint NOT NULL DEFAULT 0,
    revised bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    quarantined bigint NOT NULL DEFAULT 0,
    begins timestamptz,
    ends timestamptz
);

-- Columns of fixed width first: a reading takes about 110 bytes.
CREATE TABLE obs.observation (
    id bigint GENERATED ALWAYS AS IDENTITY,
    datastream bigint NOT NULL,
    phenomenon_time timestamptz NOT NULL,
    result_time timestamptz NOT NULL,
    batch bigint NOT NULL,
    number double precision,
    phenomenon_end timestamptz,
    valid_begin timestamptz,
    valid_end timestamptz,
    foi bigint,
    clearance smallint NOT NULL DEFAULT 0,
    -- A reading with a later result time counts in its place.
    superseded boolean NOT NULL DEFAULT FALSE,
    quality text,
    text text,
    json jsonb,
    parameters jsonb
) PARTITION BY RANGE (phenomenon_time);
CREATE UNIQUE INDEX observation_reading ON obs.observation (datastream, phenomenon_time, result_time);
CREATE INDEX observation_id ON obs.observation (id);

-- The reading of the latest phenomenon time that counts.
CREATE TABLE obs.latest (
    datastream bigint PRIMARY KEY,
    observation bigint NOT NULL,
    batch bigint NOT NULL,
    phenomenon_time timestamptz NOT NULL,
    result_time timestamptz NOT NULL,
    number double precision,
    clearance smallint NOT NULL DEFAULT 0,
    quality text,
    text text,
    json jsonb
) WITH (fillfactor = 70);

CREATE TABLE obs.rollup_hour (
    datastream bigint NOT NULL,
    begins timestamptz NOT NULL,
    readings bigint NOT NULL,
    lowest double precision NOT NULL,
    highest double precision NOT NULL,
    total double precision NOT NULL,
    completeness double precision,
    clearance smallint NOT NULL,
    PRIMARY KEY (datastream, begins)
);
CREATE TABLE obs.rollup_day (LIKE obs.rollup_hour INCLUDING ALL);
CREATE TABLE obs.rollup_month (LIKE obs.rollup_hour INCLUDING ALL);

-- Days (in the zone of the datastream, as the instant of their beginning) whose roll-ups are to be worked out anew.
CREATE TABLE obs.rollup_due (
    datastream bigint NOT NULL,
    day timestamptz NOT NULL,
    clearance smallint NOT NULL,
    PRIMARY KEY (datastream, day)
);

-- How long readings are kept; a rule without a property holds for all that have none of their own.
CREATE TABLE obs.retention (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    property text UNIQUE NULLS NOT DISTINCT,
    keep interval NOT NULL CHECK (keep > interval '0')
);

-- What could not be written, and why. No reader may select it.
CREATE TABLE obs.quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch bigint NOT NULL REFERENCES obs.batch (id) ON DELETE CASCADE,
    position bigint NOT NULL,
    rule text NOT NULL,
    reason text NOT NULL,
    raw jsonb NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'written', 'dismissed')),
    settled timestamptz,
    written_by bigint REFERENCES obs.batch (id)
);
-- The same flawed reading, delivered again, waits once.
CREATE UNIQUE INDEX quarantine_open ON obs.quarantine (md5(raw::text), rule) WHERE state = 'open';

-- Up to which edition the readings of a layer of series are written here.
CREATE TABLE obs.followed (
    layer text PRIMARY KEY,
    edition bigint NOT NULL
);
