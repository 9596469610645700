"""One writer at a time for each collection: a lock, its lease in a bucket, and the fence of its store."""
