"""What the README and docs/performance.md claim, measured: `python -m benchmarks [NAME ...]`."""
