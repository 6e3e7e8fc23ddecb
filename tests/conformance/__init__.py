"""What the OGC's test suites ask of a service, in words of our own: each test names the test it stands for."""
