"""The parts of the fan-out pattern."""
