-- Schema situation: who is where, what was plotted, and exercises. Run by the owner.
CREATE SCHEMA situation;
REVOKE ALL ON SCHEMA situation FROM public;

-- Numbers of changes, given under a lock, so that they become visible in their order.
CREATE SEQUENCE situation.change;

CREATE TABLE situation.exercise (
    id text PRIMARY KEY,
    title jsonb NOT NULL,
    clearance smallint NOT NULL CHECK (clearance BETWEEN 0 AND 2),
    started timestamptz NOT NULL DEFAULT now(),
    stopped timestamptz,
    principal text NOT NULL,
    change bigint NOT NULL
);

-- Alerts and kept zones that belong to an exercise.
CREATE TABLE situation.member (
    exercise text NOT NULL REFERENCES situation.exercise (id),
    kind text NOT NULL CHECK (kind IN ('alert', 'zone')),
    object text NOT NULL,
    clearance smallint NOT NULL CHECK (clearance BETWEEN 0 AND 2),
    PRIMARY KEY (kind, object),
    UNIQUE (exercise, kind, object)
);

-- The latest position of each unit. Clearance and exercise are parts of the name: nobody learns of a unit above them,
-- and what is played never moves a real unit.
CREATE TABLE situation.unit (
    id text COLLATE "C" NOT NULL,
    clearance smallint NOT NULL CHECK (clearance BETWEEN 0 AND 2),
    -- Empty: meant in earnest.
    exercise text NOT NULL DEFAULT '',
    kind text NOT NULL,
    name text NOT NULL,
    status text NOT NULL,
    geom public.GEOMETRY (POINT, 4490) NOT NULL,
    heading double precision,
    speed double precision,
    time timestamptz NOT NULL,
    received timestamptz NOT NULL DEFAULT now(),
    -- Taken off the map; the row stays, so that those who follow hear of it.
    withdrawn boolean NOT NULL DEFAULT false,
    principal text NOT NULL,
    change bigint NOT NULL,
    PRIMARY KEY (id, clearance, exercise)
);
CREATE INDEX unit_change ON situation.unit (exercise, change);
CREATE INDEX unit_latest ON situation.unit (change);
CREATE INDEX unit_geom ON situation.unit USING gist (geom) WHERE NOT withdrawn;
CREATE INDEX unit_principal ON situation.unit (principal);

CREATE TABLE situation.track (
    id text COLLATE "C" NOT NULL,
    clearance smallint NOT NULL CHECK (clearance BETWEEN 0 AND 2),
    exercise text NOT NULL,
    time timestamptz NOT NULL,
    geom public.GEOMETRY (POINT, 4490) NOT NULL,
    heading double precision,
    speed double precision,
    PRIMARY KEY (id, clearance, exercise, time),
    FOREIGN KEY (id, clearance, exercise) REFERENCES situation.unit (id, clearance, exercise) ON DELETE CASCADE
);
CREATE INDEX track_time ON situation.track (time);

-- The latest version of each mark; one that was deleted stays, so that this can be undone.
CREATE TABLE situation.mark (
    id text PRIMARY KEY,
    clearance smallint NOT NULL CHECK (clearance BETWEEN 0 AND 2),
    exercise text NOT NULL DEFAULT '',
    symbol text NOT NULL,
    label text NOT NULL,
    note text NOT NULL,
    geom public.GEOMETRY (GEOMETRY, 4490) NOT NULL,
    valid_from timestamptz,
    valid_to timestamptz,
    author text NOT NULL,
    deleted boolean NOT NULL DEFAULT false,
    version integer NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    changed timestamptz NOT NULL DEFAULT now(),
    principal text NOT NULL,
    change bigint NOT NULL
);
CREATE INDEX mark_change ON situation.mark (exercise, change);
CREATE INDEX mark_latest ON situation.mark (change);
CREATE INDEX mark_geom ON situation.mark USING gist (geom) WHERE NOT deleted;
CREATE INDEX mark_principal ON situation.mark (principal) WHERE NOT deleted;

-- Versions that were superseded, as they stood.
CREATE TABLE situation.mark_version (
    id text NOT NULL REFERENCES situation.mark (id),
    version integer NOT NULL,
    clearance smallint NOT NULL CHECK (clearance BETWEEN 0 AND 2),
    symbol text NOT NULL,
    label text NOT NULL,
    note text NOT NULL,
    geom public.GEOMETRY (GEOMETRY, 4490) NOT NULL,
    valid_from timestamptz,
    valid_to timestamptz,
    author text NOT NULL,
    deleted boolean NOT NULL,
    changed timestamptz NOT NULL,
    PRIMARY KEY (id, version)
);

-- Lists of zones leave out what is not meant in earnest.
ALTER TABLE meta.hazard_zone ADD COLUMN status text;
UPDATE meta.hazard_zone SET status = coalesce(document::jsonb ->> 'status', 'actual');
ALTER TABLE meta.hazard_zone ALTER COLUMN status SET NOT NULL;
ALTER TABLE meta.hazard_zone ADD CHECK (status IN ('actual', 'exercise', 'test'));
CREATE INDEX hazard_zone_status ON meta.hazard_zone (status, kept, id);
