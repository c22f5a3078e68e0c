"""Thin client commands, assembled into the command ``ostinato``."""
