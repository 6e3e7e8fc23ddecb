-- Schema report: kept reports and links to them. Run by the owner; nobody but the writer may look in.
CREATE SCHEMA report;
REVOKE ALL ON SCHEMA report FROM public;

CREATE TABLE report.report (
    id text PRIMARY KEY,
    owner text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('impact', 'compliance')),
    title text NOT NULL,
    clearance smallint NOT NULL CHECK (clearance BETWEEN 0 AND 2),
    -- The report that it was made from for readers of a lower clearance.
    origin text REFERENCES report.report (id) ON DELETE CASCADE,
    manifest jsonb NOT NULL,
    signature text NOT NULL,
    size bigint NOT NULL,
    created timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX report_owner ON report.report (owner, created);
CREATE INDEX report_created ON report.report (created);

-- Of a link only the hash of its token is kept.
CREATE TABLE report.share (
    id text PRIMARY KEY,
    report text NOT NULL REFERENCES report.report (id) ON DELETE CASCADE,
    shown text NOT NULL REFERENCES report.report (id) ON DELETE CASCADE,
    token bytea NOT NULL UNIQUE,
    expires timestamptz NOT NULL,
    created timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX share_report ON report.share (report);
CREATE INDEX share_shown ON report.share (shown);
