"""The parts of the monitor pattern: every proposed action below a monitored node is reviewed."""
