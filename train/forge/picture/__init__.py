"""Forgeries of the picture."""
