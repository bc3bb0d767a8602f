"""Everyday changes: what happens to honest clips in a room, a camera, a cut, or on the way."""
