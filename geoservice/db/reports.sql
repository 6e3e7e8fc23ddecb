-- Rights on the reports: they are nobody's but the writer's. Run by the owner after each migration; may be repeated.
-- Roles are named in the settings of the transaction: geoservice.prefix.
DO $rights$
DECLARE
    prefix text := current_setting('geoservice.prefix');
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA report TO %I', prefix || '_writer');
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA report TO %I', prefix || '_writer');
END
$rights$;
