COPY pg_temp.reading_removed (datastream, phenomenon_time) FROM STDIN (FORMAT csv);
