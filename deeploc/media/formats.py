"""Which files are taken for videos or sounds, by their suffix. Standard library only.

A suffix decides what a search through folders finds and what a file dialog offers. Whether a file
can be read is decided by its content (`deeploc.media.decode`).
"""

from __future__ import annotations

from pathlib import PurePath

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".ts"),
    *(".wmv", ".flv", ".ogv", ".3gp"),
)
SOUND_SUFFIXES = (".flac", ".wav", ".mp3", ".m4a", ".ogg")


def is_video(name: str | PurePath) -> bool:
    """Whether a file of this name, path or address is taken for a video."""
    return PurePath(name).suffix.lower() in VIDEO_SUFFIXES


def is_sound(name: str | PurePath) -> bool:
    """Whether a file of this name, path or address is taken for a sound without a picture."""
    return PurePath(name).suffix.lower() in SOUND_SUFFIXES
