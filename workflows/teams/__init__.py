"""What a user writes: agents, and the tree of nodes that they work in."""
