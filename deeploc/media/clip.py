"""Media in: a file becomes a `Clip` on the 25 Hz grid.

Nothing here knows about codecs and containers (`deeploc.media.decode`), faces, models or browsers.

Time zero, here and in every time of a `Clip`, is the first moment at which the file shows a picture
or plays a sound, after edit lists and encoder priming. That is what a browser's `currentTime` calls
0 for nearly every file; `deeploc.media.proxy` re-times the others. Picture and sound keep their
offset.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from deeploc.errors import ClipTooLong, ClipTooShort, UnreadableMedia
from deeploc.media.decode import (
    JITTER_S,
    SourceFrame,
    first_sound_s,
    open_container,
    packet_times,
    sound_chunks,
    source_frames,
    video_stream,
)
from deeploc.timeline import FrameGrid, Segment, Timeline

VIDEO_RATE_HZ = 25.0
AUDIO_RATE_HZ = 16_000
SHORTEST_STEPS = 16
MAX_MINUTES = 30.0  # the longest clip that is analysed, unless somebody says otherwise
TIE_S = 1e-4  # a frame that comes this little after the middle of a step is on time


@dataclass(frozen=True)
class MediaInfo:
    """What is known of a file before it is decoded. `duration_s`: of the picture, from time zero.

    `fps`: average of the source. `width`, `height`: of the upright picture, in stored pixels.
    `sha256`: of the file, where somebody took it.
    """

    name: str
    duration_s: float
    fps: float
    width: int
    height: int
    has_audio: bool
    sha256: str = ""


@dataclass(frozen=True, eq=False)
class LazyFrame:
    """The upright picture of a step, converted only as far as it is asked for. Pixels are those of
    `MediaInfo.width`, `height`."""

    frame: SourceFrame
    width: int
    height: int

    @cached_property
    def rgb(self) -> np.ndarray:
        """`(H, W, 3) uint8` RGB."""
        return self.frame.upright(self.width, self.height)

    def region(self, box: tuple[int, int, int, int]) -> np.ndarray:
        """The part `box` (left, top, right, bottom), which lies inside, `uint8` RGB."""
        return self.frame.region(box, self.width, self.height)

    @cached_property
    def luma(self) -> np.ndarray:
        """`(H, W) uint8` brightness."""
        return self.frame.luma(self.width, self.height)

    def no_wider_than(self, width: int) -> np.ndarray:
        """The whole picture, scaled down to this width if it is wider."""
        if self.width <= width:
            return self.rgb
        return self.frame.upright(width, round(self.height * width / self.width), "BICUBIC")


@dataclass(frozen=True, eq=False)
class Clip:
    """An opened file. Sound and times are here; the pictures are decoded anew by every `frames()`.

    `grid`: 25 Hz steps that cover the picture. `pts_s (F,) float64`: when each source frame is
    shown, sorted. `audio (S,) float32`: 16 kHz mono, `S = grid.n_frames * 640`, zeros where the
    file holds no sound; None without decodable sound. `sound_timeline`: where it does hold some.
    `zero_s`: the file's own timestamp that counts as time zero.
    """

    path: Path
    info: MediaInfo
    grid: FrameGrid
    pts_s: np.ndarray
    audio: np.ndarray | None
    sound_timeline: Timeline
    warnings: tuple[str, ...] = ()
    zero_s: float = 0.0

    def frames(self) -> Iterator[np.ndarray]:
        """The upright picture of each step, `(H, W, 3) uint8` RGB.

        Neighbouring steps may share one array: don't write into it.
        """
        return (frame.rgb for frame in self.lazy_frames())

    def lazy_frames(self, every: int = 1) -> Iterator[LazyFrame]:
        """What is on display at the middle of each of the steps 0, `every`, 2 `every`, ...

        The first frame also stands for the time before it. Ends early where the picture stops
        decoding. Neighbouring steps may share one picture.
        """
        step = 0
        for frame, until_s in self._shown():
            lazy = LazyFrame(frame, self.info.width, self.info.height)
            while (step + 0.5) / self.grid.rate_hz < until_s - TIE_S:
                if step >= self.grid.n_frames:
                    return
                yield lazy
                step += every

    def beginning(self, duration_s: float) -> Clip:
        """The clip as if its picture and sound ended after so many seconds."""
        n_frames = min(self.grid.n_frames, math.ceil(duration_s * self.grid.rate_hz))
        grid = FrameGrid(self.grid.rate_hz, n_frames)
        audio = None if self.audio is None else self.audio[: round(grid.duration * AUDIO_RATE_HZ)]
        return replace(self, grid=grid, audio=audio)

    def _shown(self) -> Iterator[tuple[SourceFrame, float]]:
        """Each source frame and the moment at which the next one replaces it."""
        current = None
        for frame in source_frames(self.path, self.zero_s):
            if current is not None:
                yield current, frame.start_s
            current = frame
        if current is not None:
            later = self.pts_s[self.pts_s > current.start_s + JITTER_S]
            yield current, later[0] if len(later) else np.inf


@dataclass(frozen=True)
class _Scan:
    """What the packets and the first decoded frames say; times in seconds from time zero."""

    info: MediaInfo
    pts_s: np.ndarray
    zero_s: float
    missing_s: float  # how much of what the header promises isn't there


@dataclass(frozen=True, eq=False)
class _Sound:
    """See `Clip`. `end_s`: where the file's sound ends, be it after the picture."""

    audio: np.ndarray | None = None
    timeline: Timeline = field(default_factory=Timeline)
    end_s: float = 0.0


def open_clip(path: str | Path, max_minutes: float = math.inf) -> Clip:
    """Opens a file, reads its frame times and decodes its sound.

    Raises `UnreadableMedia`, `NoVideo`, `ClipTooShort` (under 16 steps) or `ClipTooLong` (over
    `max_minutes`).
    """
    path = Path(path)
    scan = _scan(path)
    info = scan.info
    _check_length(info, max_minutes)
    n_frames = int(np.ceil((info.duration_s - JITTER_S) * VIDEO_RATE_HZ))
    grid = FrameGrid(VIDEO_RATE_HZ, n_frames)
    sound = _read_sound(path, scan.zero_s, grid) if info.has_audio else _Sound()
    return Clip(
        path=path,
        info=replace(info, has_audio=sound.audio is not None),
        grid=grid,
        pts_s=scan.pts_s,
        audio=sound.audio,
        sound_timeline=sound.timeline,
        warnings=tuple(_warnings(scan, grid, sound)),
        zero_s=scan.zero_s,
    )


def file_sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _check_length(info: MediaInfo, max_minutes: float) -> None:
    shortest_s = SHORTEST_STEPS / VIDEO_RATE_HZ
    if info.duration_s < shortest_s - JITTER_S:
        raise ClipTooShort(
            f"{info.name} lasts {info.duration_s:.2f} s. Use a clip of at least {shortest_s:.2f} s."
        )
    if info.duration_s > max_minutes * 60:
        raise ClipTooLong(
            f"{info.name} lasts {info.duration_s / 60:.1f} minutes; the limit is "
            f"{max_minutes:g}. Cut it, or raise --max-minutes (DEEPLOC_MAX_MINUTES)."
        )


def _warnings(scan: _Scan, grid: FrameGrid, sound: _Sound) -> Iterator[str]:
    duration_s = scan.info.duration_s
    if scan.missing_s > 0.2:
        yield (
            f"The file is cut off: it should last {duration_s + scan.missing_s:.1f} s, "
            f"but only {duration_s:.1f} s are there."
        )
    if scan.pts_s[0] > 1 / VIDEO_RATE_HZ:
        yield f"The picture starts {scan.pts_s[0]:.2f} s after the sound."
    if sound.audio is None:
        which = "The sound can't be decoded" if scan.info.has_audio else "The clip has no sound"
        yield f"{which}: only the picture can be examined."
    elif sound.timeline.duration < grid.duration - 0.2:
        yield f"Only {sound.timeline.duration:.1f} s of the {grid.duration:.1f} s have sound."
    if sound.end_s > grid.duration + 0.5:
        yield (
            f"The sound lasts {sound.end_s - grid.duration:.1f} s longer than the picture; "
            "that part was not examined."
        )


def _read_sound(path: Path, zero_s: float, grid: FrameGrid) -> _Sound:
    """The sound on the grid; nothing where nothing decodes."""
    audio = np.zeros(round(grid.duration * AUDIO_RATE_HZ), np.float32)
    decoded: list[Segment] = []
    last = None
    for start, samples in sound_chunks(path, zero_s, AUDIO_RATE_HZ):
        last = start + len(samples)
        begin, end = max(start, 0), min(last, len(audio))
        if begin >= end:
            continue
        audio[begin:end] = samples[begin - start : end - start]
        decoded.append(Segment(begin / AUDIO_RATE_HZ, end / AUDIO_RATE_HZ))
    return _Sound() if last is None else _Sound(audio, Timeline.of(decoded), last / AUDIO_RATE_HZ)


def _scan(path: Path) -> _Scan:
    """Reads all packets and the first decoded frame of picture and sound."""
    with open_container(path) as container:
        video_stream(container, path)
        has_audio = container.streams.best("audio") is not None
    first = next(source_frames(path, 0.0), None)
    if first is None:
        raise UnreadableMedia(
            f"{path.name}: its picture can't be decoded. Convert it to mp4 first."
        )
    times, last_s, end_s, promised_s = packet_times(path)
    if times is None:
        times = np.array([frame.start_s for frame in source_frames(path, 0.0)])
    sound_s = first_sound_s(path) if has_audio else np.inf
    zero_s = min(float(times[0]), sound_s)
    turned = round(first.frame.rotation / 90) % 2
    size = (first.frame.width, first.frame.height)
    width, height = size[::-1] if turned else size
    gaps = np.diff(times)
    fps = 1 / gaps.mean() if len(gaps) else VIDEO_RATE_HZ
    duration_s = float(times[-1] + (last_s or 1 / fps) - zero_s)
    info = MediaInfo(path.name, duration_s, round(float(fps), 3), width, height, has_audio)
    return _Scan(info, times - zero_s, zero_s, max(0.0, promised_s - max(end_s, times[-1])))
