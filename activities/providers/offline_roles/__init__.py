"""The parts that the offline model plays in patterns, one module each; ``table`` says which comes when."""
