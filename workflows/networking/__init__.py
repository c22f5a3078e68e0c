"""The parts of the network pattern."""
