"""Small real servers that stand in for services the tests cannot reach."""
