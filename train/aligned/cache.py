"""Aligned faces and their sound as small files: `pack` writes them, `pretrain` reads them.

A cache is a folder with `index.json`, `faces/*.mp4` (H.264, 25 Hz) and `sound/*.opus` (16 kHz,
mono). Each entry of the index is a *piece*: a run of steps at all of which the face was seen, or
speech without a picture. OpenCV decodes the pictures and libsndfile the sound, so that it can be
read where there is neither PyAV nor a face detector.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import soundfile

INDEX = "index.json"
SIDE = 208  # pixels of a stored picture: the aligned square, and a margin for moving it about
MARGIN = 8  # pixels of it beyond each side of the square
SOUND_RATE_HZ = 16_000
STEP_SAMPLES = 640


@dataclass(frozen=True)
class Piece:
    """`file`: name within the cache, without suffix. `steps`: 25 Hz steps. `source`, `identity`,
    `licence`: as the manifest has them; `start`: the step of the clip `path` with which it begins;
    `face_px`: median side of the aligned square in the clip, in its own pixels (0: no picture)."""

    file: str
    path: str
    identity: str
    split: str
    source: str
    licence: str
    ordinary: bool
    start: int
    steps: int
    picture: bool
    sound: bool
    face_px: float


def write_index(cache: Path, pieces: Iterable[Piece]) -> None:
    records = [asdict(piece) for piece in sorted(pieces, key=lambda piece: piece.file)]
    layout = {"side": SIDE, "margin": MARGIN, "rate_hz": 25, "sound_rate_hz": SOUND_RATE_HZ}
    (cache / INDEX).write_text(json.dumps(layout | {"pieces": records}, indent=0) + "\n")


def read_index(cache: Path, split: str | None = None) -> list[Piece]:
    """The pieces of one split, or of all, in a fixed order."""
    index = json.loads((cache / INDEX).read_text())
    if (index["side"], index["margin"]) != (SIDE, MARGIN):
        raise ValueError(f"{cache} holds faces of another size: run train.aligned.pack anew.")
    pieces = [Piece(**record) for record in index["pieces"]]
    return [piece for piece in pieces if split in (None, piece.split)]


def read_faces(cache: Path, piece: Piece) -> np.ndarray:
    """`(steps, SIDE, SIDE, 3) uint8` RGB."""
    capture = cv2.VideoCapture(str(cache / "faces" / f"{piece.file}.mp4"))
    frames = np.empty((piece.steps, SIDE, SIDE, 3), np.uint8)
    for step in range(piece.steps):
        there, frame = capture.read()
        if not there:
            raise ValueError(f"{piece.file}.mp4 ends at step {step} of {piece.steps}")
        cv2.cvtColor(frame, cv2.COLOR_BGR2RGB, frames[step])
    capture.release()
    return frames


def read_sound(cache: Path, piece: Piece) -> np.ndarray:
    """`(steps * STEP_SAMPLES,) int16`."""
    samples, rate = soundfile.read(cache / "sound" / f"{piece.file}.opus", dtype="float32")
    assert rate == SOUND_RATE_HZ, rate
    wanted = piece.steps * STEP_SAMPLES
    samples = np.pad(samples, (0, max(0, wanted - len(samples))))[:wanted]
    return np.round(32767 * samples.clip(-1, 1)).astype(np.int16)


def write_sound(cache: Path, file: str, audio: np.ndarray, compression: float) -> None:
    """`audio (S,) float32` as Opus; `compression` 0..1, 1 is smallest."""
    path = cache / "sound" / f"{file}.opus"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(
        path, audio, SOUND_RATE_HZ, format="OGG", subtype="OPUS", compression_level=compression
    )
