"""``ostinato bench``: what a durable step costs, next to plain Temporal doing the same work."""
