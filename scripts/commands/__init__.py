"""One module per command of ``ostinato``; ``scripts.cli`` imports each when it runs."""
