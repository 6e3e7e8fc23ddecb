"""The checks a layer declares, one module per family. They run in the confined child, never in the database."""
