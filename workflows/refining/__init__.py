"""The parts of the refine pattern."""
