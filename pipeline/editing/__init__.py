"""What people change in a collection between index jobs: deleting, erasing, tags, going back to a version."""
