COPY pg_temp.reading_landed (
    position, batch, stream, clearance, phenomenon_time, phenomenon_end, given, result_time, number, text, json,
    quality, valid_begin, valid_end, parameters, foi
) FROM STDIN (FORMAT csv);
