"""Networks, losses, data and loop of `python -m ray_jobs.train`. Importing it loads neither torch nor Ray."""
