"""A part of a file, cut out without coding it again: what is analysed are the file's own pictures.

A cut can only begin at a picture that needs no other one, so it begins at the last such picture
before the wish. Nothing here knows about the 25 Hz grid.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import av

from deeploc.errors import DeepLocError, UnreadableMedia
from deeploc.media.decode import first_sound_s, open_container, packet_times, video_stream

CONTAINERS = {".mp4", ".m4v", ".mov", ".webm", ".mkv"}
SHORTEST_S = 1.0


@dataclass(frozen=True)
class Cut:
    """A new file, and the second of the source that is its time zero."""

    path: Path
    start_s: float


def trim_clip(path: str | Path, start_s: float, end_s: float, folder: str | Path) -> Cut:
    """Copies about `[start_s, end_s)` of a file into a new one of the same name below `folder`.

    A cut that is there already is used again. Raises `DeepLocError` for a range that is none, and
    `UnreadableMedia`.
    """
    path = Path(path)
    if not end_s - start_s >= SHORTEST_S or not start_s >= 0:
        raise DeepLocError(
            f"The range from {start_s:g} s to {end_s:g} s is no part of {path.name}. "
            f"Choose one of at least {SHORTEST_S:g} s."
        )
    stat = path.stat()
    key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}|{start_s:.3f}|{end_s:.3f}"
    home = Path(folder) / hashlib.sha256(key.encode()).hexdigest()[:16]
    target = home / (path.name if path.suffix.lower() in CONTAINERS else f"{path.stem}.mkv")
    try:
        zero_s = _zero_s(path)
        begin_s = _keyframe_s(path, start_s + zero_s)
        if not target.exists():
            home.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=home) as unfinished:
                part = Path(unfinished) / target.name
                _copy(path, part, begin_s, end_s + zero_s)
                part.replace(target)
    except (av.FFmpegError, ValueError) as error:
        raise UnreadableMedia(
            f"{path.name} can't be cut without coding it again. Analyse it whole."
        ) from error
    return Cut(target, max(0.0, begin_s - zero_s))


def _zero_s(path: Path) -> float:
    """The file's own timestamp that counts as time zero."""
    times = packet_times(path)[0]
    if times is None:
        raise ValueError("no timestamps")
    return min(float(times[0]), first_sound_s(path))


def _keyframe_s(path: Path, start_s: float) -> float:
    """When the last picture that needs no other one is shown, at or before `start_s`."""
    found = None
    with open_container(path) as source:
        for packet in source.demux(video_stream(source, path)):
            if packet.pts is None or not packet.is_keyframe:
                continue
            shown_s = float(packet.pts * packet.time_base)
            if found is not None and shown_s > start_s + 1e-3:
                break
            found = shown_s
    if found is None:
        raise ValueError("no keyframe")
    return found


def _copy(path: Path, target: Path, begin_s: float, end_s: float) -> None:
    with open_container(path) as source, av.open(str(target), "w") as out:
        picture = video_stream(source, path)
        sound = source.streams.best("audio")
        copies = {each: out.add_stream_from_template(each) for each in (picture, sound) if each}
        last_s = begin_s  # pictures shown before this one may still follow it in the file
        for packet in source.demux(list(copies)):
            if packet.pts is None or packet.dts is None:
                continue
            shown_s, decoded_s = (float(t * packet.time_base) for t in (packet.pts, packet.dts))
            wanted = decoded_s < end_s or (packet.stream is picture and shown_s < last_s)
            if shown_s < begin_s - 1e-6 or not wanted:
                continue
            if packet.stream is picture:
                last_s = max(last_s, shown_s)
            shift = round(begin_s / packet.time_base)
            packet.pts -= shift
            packet.dts -= shift
            packet.stream = copies[packet.stream]
            out.mux(packet)
