"""Comparisons with other engines: python -m benchmarks [NAME …] [--json FILE]. See README.md."""
