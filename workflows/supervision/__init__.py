"""The parts of the supervisor pattern."""
