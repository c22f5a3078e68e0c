"""The kinds of nodes, one module each: what a team file says of one, and what parts it runs."""
