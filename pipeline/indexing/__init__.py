"""The four stages of an index job: plan, embed, fit, load; and the account that closes it."""
