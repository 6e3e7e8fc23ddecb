"""Who and what a zone of danger hits: one engine for impact, comparison and compliance. Domain; knows no HTTP."""
