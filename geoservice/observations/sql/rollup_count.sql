SELECT count(*) FROM pg_temp.rollup_taken;
