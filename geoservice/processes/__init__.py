"""Work that reads and answers: what can be asked for, at once or as a job with result files. Knows no HTTP."""
