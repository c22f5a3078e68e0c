"""Entities: long-lived workflows that hold one thing each, and are reached by messages."""
