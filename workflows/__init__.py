"""Orchestration: deterministic code only, replayed from history. No provider, HTTP, environment or clock in here."""
