COPY pg_temp.reading_named (place, stream, datastream, station, property) FROM STDIN (FORMAT csv);
