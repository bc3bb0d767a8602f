"""Display proxies: a file that browsers can't play becomes an mp4 that they can, on the same times.

Nothing here knows about the viewer, nor are proxies ever analysed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from deeploc.media.clip import Clip, open_clip
from deeploc.media.decode import open_container, sound_chunks, source_frames, video_stream
from deeploc.media.writer import Mp4Writer

WIDEST = 1280
TIME_BASE = Fraction(1, 90_000)
SOUND_RATE_HZ = 48_000
ZERO_SLACK_S = 0.001

VIDEO_CODECS = {
    ".mp4": {"h264", "vp9", "av1"},
    ".m4v": {"h264"},
    ".mov": {"h264"},
    ".webm": {"vp8", "vp9", "av1"},
}
AUDIO_CODECS = {
    ".mp4": {"aac", "mp3", "opus"},
    ".m4v": {"aac", "mp3"},
    ".mov": {"aac", "mp3"},
    ".webm": {"opus", "vorbis"},
}
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".webm": "webm"}


def display_clip(
    path: str | Path, folder: str | Path, progress: Callable[[int, int], None] = lambda *_: None
) -> Path:
    """The file itself where browsers play it on our time zero, else a proxy of it in `folder`.

    A proxy is an H.264/AAC mp4, upright, at most 1280 pixels wide, whose frames have the same times
    as the source's `Clip.pts_s`. A proxy that is there already is used again. `progress(done,
    total)` counts its frames, and may raise to give up. Raises what `open_clip` raises.
    """
    path = Path(path)
    clip = open_clip(path)
    if plays_in_browser(clip):
        return path
    return write_proxy(clip, Path(folder), progress)


def plays_in_browser(clip: Clip) -> bool:
    """Whether Chromium, Firefox and Safari play the file, with `currentTime` 0 at our time zero."""
    suffix = clip.path.suffix.lower()
    if abs(clip.zero_s) > ZERO_SLACK_S or suffix not in CONTAINERS:
        return False
    with open_container(clip.path) as container:
        video = video_stream(container, clip.path)
        audio = container.streams.best("audio")
        return (
            CONTAINERS[suffix] in container.format.name.split(",")
            and video.codec_context.name.removeprefix("lib").split("-")[0] in VIDEO_CODECS[suffix]
            and video.codec_context.pix_fmt in ("yuv420p", "yuvj420p")
            and (audio is None or audio.codec_context.name in AUDIO_CODECS[suffix])
        )


def write_proxy(clip: Clip, folder: Path, progress: Callable[[int, int], None]) -> Path:
    """Writes the proxy of an opened clip into `folder`, unless it's there, and returns its path."""
    stat = clip.path.stat()
    key = f"{clip.path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
    name = f"{clip.path.stem}-{hashlib.sha256(key.encode()).hexdigest()[:8]}.mp4"
    target = folder / name
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as unfinished:
        _transcode(clip, Path(unfinished) / name, progress)
        return (Path(unfinished) / name).replace(target)


def _transcode(clip: Clip, target: Path, progress: Callable[[int, int], None]) -> None:
    width, height = clip.info.width, clip.info.height
    if width > WIDEST:
        width, height = WIDEST, round(height * WIDEST / width)
    has_audio = clip.audio is not None
    sound = gapless_sound(clip) if has_audio else iter(())
    ends_s = np.append(clip.pts_s[1:], clip.info.duration_s)
    with Mp4Writer(
        target,
        (width // 2 * 2, height // 2 * 2),
        TIME_BASE,
        Fraction(clip.info.fps).limit_denominator(1001),
        SOUND_RATE_HZ if has_audio else None,
        {"crf": "21", "preset": "veryfast", "g": "30", "bf": "0"},
    ) as writer:
        for frame in source_frames(clip.path, clip.zero_s):
            index = min(int(np.searchsorted(ends_s, frame.start_s, "right")), len(ends_s) - 1)
            progress(index, len(ends_s))
            length_s = max(ends_s[index] - frame.start_s, 0.001)
            pts, duration = (round(seconds / TIME_BASE) for seconds in (frame.start_s, length_s))
            writer.add_frame(frame.upright(writer.width, writer.height), pts, duration)
            while has_audio and writer.written_samples < frame.start_s * SOUND_RATE_HZ:
                samples = next(sound, None)
                if samples is None:
                    break
                writer.add_sound(samples)
        for samples in sound:
            writer.add_sound(samples)


def gapless_sound(clip: Clip) -> Iterator[np.ndarray]:
    """The sound from time zero to the picture's end, at `SOUND_RATE_HZ`: `(n,) float32` pieces,
    zeros in the gaps."""
    total, position = round(clip.info.duration_s * SOUND_RATE_HZ), 0
    for start, samples in sound_chunks(clip.path, clip.zero_s, SOUND_RATE_HZ):
        while start > position and position < total:
            gap = min(start, total, position + SOUND_RATE_HZ) - position
            yield np.zeros(gap, np.float32)
            position += gap
        samples = samples[max(position - start, 0) : max(total - start, 0)]
        if len(samples):
            yield samples
            position += len(samples)
