-- A reading that takes the place of another gets its number. Only a statement like this may give numbers itself.
WITH gone AS (
    DELETE FROM obs.observation
    WHERE id = :fresh AND datastream = :stream AND phenomenon_time = :moment
    RETURNING
        datastream, phenomenon_time, result_time, batch, number, phenomenon_end, valid_begin, valid_end, foi, clearance,
        superseded, quality, text, json, parameters
)

INSERT INTO obs.observation (
    id, datastream, phenomenon_time, result_time, batch, number, phenomenon_end, valid_begin, valid_end, foi, clearance,
    superseded, quality, text, json, parameters
) OVERRIDING SYSTEM VALUE
SELECT
    :kept AS id,
    datastream,
    phenomenon_time,
    result_time,
    batch,
    number,
    phenomenon_end,
    valid_begin,
    valid_end,
    foi,
    clearance,
    superseded,
    quality,
    text,
    json,
    parameters
FROM gone;
