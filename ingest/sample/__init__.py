"""The sample region: a fictional, clearly labelled county, the same for the same size and seed.

`ingest.sample.write.write_sample` makes its files. This module stays light, because others only ask for the code.
"""

COUNTY_CODE = "990101"
"""Division code of the fictional county; 99 is no province."""
