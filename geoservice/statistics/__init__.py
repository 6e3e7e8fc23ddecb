"""Statistics of a collection by attribute or division: values, statements and answers; no HTTP."""
