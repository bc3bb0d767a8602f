"""Videos of a report, for people without the page: the clip with what was found drawn on it.

Both have one picture a step, the clip's sound, and a curve with a moving cursor below. Nothing here
decides what is flagged.
"""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

import numpy as np
from moviepy import ColorClip, CompositeVideoClip, ImageClip, VideoClip, VideoFileClip
from PIL import Image, ImageDraw, ImageFont

from deeploc.errors import DeepLocError
from deeploc.media.clip import VIDEO_RATE_HZ, Clip, open_clip
from deeploc.media.proxy import SOUND_RATE_HZ, gapless_sound
from deeploc.report import Report
from deeploc.scores import STREAM_LABELS

WIDEST, CURVE_HEIGHT = 960, 72
NARROW = 576  # width of the inspection clip
GROUND, GREY, WHITE, ORANGE = (16, 20, 28), (107, 114, 128), (255, 255, 255), (230, 159, 0)
ONE_AT_A_TIME = Lock()  # writing takes every core

Colour = tuple[int, int, int]
Draw = Callable[[Image.Image, int], None]


def write_annotated_video(report: Report, video: str | Path, target: Path) -> None:
    """The clip with the scored face in a box, which says so while it is flagged.

    `video`: the clip or a proxy of it. Raises what `open_clip` raises.
    """
    clip = open_clip(video)
    width, height = _size(clip, WIDEST)
    with _picture(clip, (width, height), _boxes(report, width)) as picture:
        _write([picture], report, clip, target)


def write_inspection_video(report: Report, video: str | Path, target: Path) -> None:
    """The clip above original | reconstruction | error of the face.

    Raises `DeepLocError` for a report without them, and what `open_clip` raises.
    """
    if report.inspection is None or not report.inspection.exists():
        raise DeepLocError(
            "This report holds no reconstructions of a face. Analyse the clip again to see them."
        )
    clip = open_clip(video)
    size = _size(clip, NARROW)
    with (
        _picture(clip, size, _flags(report)) as picture,
        closing(VideoFileClip(str(report.inspection), audio=False)) as strip,
    ):
        _write([picture, strip], report, clip, target)


def _size(clip: Clip, widest: int) -> tuple[int, int]:
    """Even, at most `widest` wide."""
    width = min(clip.info.width, widest) if widest != NARROW else NARROW
    return width // 2 * 2, round(clip.info.height * width / clip.info.width) // 2 * 2


@contextmanager
def _picture(clip: Clip, size: tuple[int, int], draw: Draw) -> Iterator[VideoClip]:
    """The clip's steps, drawn on, as a video that only plays forwards."""
    frames = clip.frames()
    shown, picture = -1, np.zeros((size[1], size[0], 3), np.uint8)

    def at(time_s: float) -> np.ndarray:
        nonlocal shown, picture
        step = int(time_s * VIDEO_RATE_HZ + 0.5)
        frame = None
        while shown < step:
            frame = next(frames, frame)
            shown += 1
        if frame is not None:
            image = Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR)
            draw(image, step)
            picture = np.asarray(image)
        return picture

    film = VideoClip(at, duration=clip.grid.duration)
    try:
        yield film
    finally:
        film.close()


def _write(parts: list[VideoClip], report: Report, clip: Clip, target: Path) -> None:
    """One below the other, the curve last, with the sound. Nothing is there if it fails."""
    width = parts[0].w
    tops = np.cumsum([0, *(part.h for part in parts)]).tolist()
    curve = ImageClip(np.asarray(curve_image(report, (width, CURVE_HEIGHT))))
    cursor = ColorClip((2, CURVE_HEIGHT), WHITE)

    def position(time_s: float) -> tuple[float, float]:
        return time_s / clip.grid.duration * (width - 2), tops[-1]

    placed = [part.with_position((0, top)) for part, top in zip(parts, tops, strict=False)]
    below = [curve.with_position((0, tops[-1])), cursor.with_position(position)]
    film = CompositeVideoClip([*placed, *below], (width, tops[-1] + CURVE_HEIGHT), bg_color=GROUND)
    with ONE_AT_A_TIME, TemporaryDirectory(dir=target.parent) as unfinished:
        draft = Path(unfinished) / "film.mp4"
        # half a frame more: moviepy rounds duration * fps down, which may lose the last frame
        seconds = (clip.grid.n_frames + 0.5) / VIDEO_RATE_HZ
        film.with_duration(seconds).write_videofile(
            str(draft),
            fps=VIDEO_RATE_HZ,
            codec="libx264",
            preset="veryfast",
            audio=_sound(clip, Path(unfinished) / "sound.wav"),
            audio_codec="aac",
            ffmpeg_params=["-crf", "21", "-pix_fmt", "yuv420p", "-movflags", "+faststart"],
            pixel_format="rgb24",
            logger=None,
        )
        draft.replace(target)


def _sound(clip: Clip, path: Path) -> str | bool:
    """The clip's sound in a WAV, or False where there is none."""
    if clip.audio is None:
        return False
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SOUND_RATE_HZ, 0, "NONE", ""))
        for samples in gapless_sound(clip):
            file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return str(path)


def _flags(report: Report) -> Draw:
    """Names the flagged streams in the corner while they are flagged, and below what is missing."""

    def draw(image: Image.Image, step: int) -> None:
        words, missing = _flagged(report, step), _not_scored(report, step)
        if words:
            _caption(image, (6, 6), words)
        if missing:
            _caption(image, (6, image.height - 20), missing, 12, GROUND, WHITE)

    return draw


def _boxes(report: Report, width: int) -> Draw:
    """As `_flags`, and the face in a box; `width`: of the video."""
    scale, flags = width / report.media.width, _flags(report)
    track = report.evidence.track if report.evidence else None

    def draw(image: Image.Image, step: int) -> None:
        if track is not None and step < len(track.boxes) and track.visible[step]:
            left, top, right, bottom = (track.boxes[step] * scale).tolist()
            if right > left and bottom > top:
                colour = ORANGE if _flagged(report, step) else WHITE
                ImageDraw.Draw(image).rectangle((left, top, right, bottom), None, colour, 3)
        flags(image, step)

    return draw


def _flagged(report: Report, step: int) -> str:
    middle_s = (step + 0.5) / VIDEO_RATE_HZ
    found = [item for item in report.timeline if item.segment.start <= middle_s < item.segment.end]
    return ", ".join(f"flagged: {STREAM_LABELS[item.stream]} {item.score:.2f}" for item in found)


def _not_scored(report: Report, step: int) -> str:
    """Why something is not scored; not for a cut, which everybody sees and nobody could read."""
    middle_s = (step + 0.5) / VIDEO_RATE_HZ
    reasons = [
        item.reason
        for item in report.unscored
        if item.segment.start <= middle_s < item.segment.end and item.reason != "cut"
    ]
    return f"not scored: {', '.join(dict.fromkeys(reasons))}" if reasons else ""


def _caption(
    image: Image.Image,
    at: tuple[int, int],
    words: str,
    size: int = 15,
    ground: Colour = ORANGE,
    ink: Colour = (0, 0, 0),
) -> None:
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    left, top, right, bottom = draw.textbbox(at, words, font)
    draw.rectangle((left - 4, top - 4, right + 4, bottom + 4), ground)
    draw.text(at, words, ink, font)


def curve_image(report: Report, size: tuple[int, int]) -> Image.Image:
    """The deciding curve over the whole clip: flagged intervals orange, unscored steps grey,
    dotted lines where cuts begin shots."""
    width, height = size
    image = Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(image)
    curve = report.deciding
    if curve is None:
        return image
    per_second, bottom = width / curve.grid.duration, height - 2
    low, high = curve.curve.range
    top = curve.curve.top(float(np.nanmax(curve.values, initial=0.0))) if high is None else high

    def y(value: float) -> float:
        return bottom - (value - low) / (top - low) * (bottom - 4)

    for gap in curve.unscored:
        draw.rectangle((gap.start * per_second, 0, gap.end * per_second, height), (55, 60, 70))
    for item in report.timeline:
        span = (item.segment.start * per_second, item.segment.end * per_second)
        draw.rectangle((span[0], 0, span[1], height), (110, 76, 0))
        draw.rectangle((span[0], 0, span[1], 3), ORANGE)
    for shot in report.shots[1:]:
        for top_px in range(0, height, 4):
            left = shot.start * per_second
            draw.line((left, top_px, left, top_px + 1), GREY, 1)
    threshold = report.calibration.thresholds.get(curve.stream)
    if threshold is not None:
        draw.line((0, y(threshold), width, y(threshold)), GREY, 1)
    for run in curve.grid.runs(curve.scored):
        first, after = curve.grid.span(run)
        points = [
            ((step + 0.5) / curve.grid.rate_hz * per_second, y(value))
            for step, value in enumerate(curve.values[first:after].tolist(), start=first)
        ]
        draw.line(points, WHITE, 2)
    name = f"{curve.curve.title}, {STREAM_LABELS[curve.stream]}"
    draw.text((6, 5), name, (200, 205, 214), ImageFont.load_default(11))
    return image
