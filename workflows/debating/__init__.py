"""The parts of the debate pattern."""
