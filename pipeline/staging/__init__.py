"""What has been embedded so far, and what was rejected: Parquet files on the home."""
