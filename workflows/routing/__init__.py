"""How a router finds its label."""
