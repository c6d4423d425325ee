"""Side by side with other engines: python -m benchmarks [NAME …] [--json FILE]. See README.md."""
