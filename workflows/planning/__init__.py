"""The parts of the plan pattern."""
