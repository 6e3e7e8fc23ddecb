"""Runs the OGC's own test suites (CITE) against the service with the sample region: `scripts/cite`."""
