"""How good an index is: recall, how unusual a score is, which settings are worth it."""
