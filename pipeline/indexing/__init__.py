"""The stages of an index job: plan, embed, catalogue, fit, load, check; and the account that closes it."""
