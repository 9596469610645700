"""What measures speed and quality: python -m benchmarks.query, python -m benchmarks.embed."""
