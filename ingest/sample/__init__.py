"""The sample region: a fictional, clearly labelled county, the same for the same size and seed."""

from ingest.sample.manifest import SampleManifest
from ingest.sample.write import write_sample

__all__ = ["SampleManifest", "write_sample"]
