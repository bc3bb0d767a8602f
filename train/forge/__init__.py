"""Partial forgeries made out of authentic clips."""
