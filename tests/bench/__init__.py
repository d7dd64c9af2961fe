"""Benchmarks: run by hand, never by pytest. Results are in docs/benchmarks.md."""
