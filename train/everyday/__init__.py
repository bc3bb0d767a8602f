"""Everyday changes: what happens to honest clips, in the room, in the camera, in the cut, on the way."""
