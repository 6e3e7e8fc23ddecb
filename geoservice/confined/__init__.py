"""Children of the service that are shut in: how they are started, spoken with and ended."""
