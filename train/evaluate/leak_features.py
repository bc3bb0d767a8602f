"""What a file tells without any look at faces or words: sizes, levels, edges, of a clip and a step.

`read_nuisances` reads one clip. Nothing here knows what is forged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from deeploc.media.clip import AUDIO_RATE_HZ, VIDEO_RATE_HZ, open_clip
from deeploc.media.decode import open_container, source_frames
from deeploc.preprocess.audio import STEP_SAMPLES
from train.data.sound_files import read_sound

BLOCK_SAMPLES = 160  # 10 ms
SILENT_DB = -50.0
FLOOR_DB = -100.0
LUMA_BLACK = 20.0
LEVELS = (0.05, 0.5, 0.95)
KINDS = "IPB"


@dataclass(frozen=True)
class Nuisances:
    """The nuisances of one clip of T steps: `clip` names -> value, `steps` names -> `(T,) float64`.

    Names begin with the stream that they are about: `visual ` or `audio `.
    """

    clip: dict[str, float]
    steps: dict[str, np.ndarray]

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".part.npz")
        clip = {f"clip {name}": np.array(value) for name, value in self.clip.items()}
        steps = {f"step {name}": row for name, row in self.steps.items()}
        np.savez(partial, allow_pickle=False, **clip, **steps)
        partial.rename(path)

    @classmethod
    def load(cls, path: Path) -> Nuisances:
        with np.load(path) as stored:
            kept: dict[str, dict] = {"clip": {}, "step": {}}
            for key in stored.files:
                kind, _, name = key.partition(" ")
                kept[kind][name] = float(stored[key]) if kind == "clip" else stored[key]
        return cls(kept["clip"], kept["step"])


def read_nuisances(path: Path) -> Nuisances:
    """Reads packets, pictures and sound of one file, or sound alone. Raises `DeepLocError` for
    unreadable files."""
    packets = _packets(path)
    clip: dict[str, float] = {}
    steps: dict[str, np.ndarray] = {}
    if "video" in packets:
        opened_clip = open_clip(path)
        audio, n_steps = opened_clip.audio, opened_clip.grid.n_frames
        pictures = np.array([_picture(frame.frame) for frame in source_frames(path, 0.0)])
        clip, steps = _of_pictures(pictures, packets["video"], n_steps)
        clip["visual width"] = opened_clip.info.width
        clip["visual height"] = opened_clip.info.height
        clip["visual frame rate"] = opened_clip.info.fps
    else:
        audio = read_sound(path)
        n_steps = len(audio) // STEP_SAMPLES
    if audio is not None and "audio" in packets:
        of_clip, by_step = _of_sound(audio, packets["audio"], n_steps)
        clip |= of_clip
        steps |= by_step
    seconds = n_steps / VIDEO_RATE_HZ
    place = (np.arange(n_steps) + 0.5) / n_steps
    for stream in ("visual", "audio"):
        clip[f"{stream} duration"] = seconds
        clip[f"{stream} file size a second"] = float(np.log(path.stat().st_size / seconds))
        steps[f"{stream} place in clip"] = place
        steps[f"{stream} distance from edge"] = np.minimum(place, 1 - place) * seconds
    return Nuisances(clip, steps)


def _packets(path: Path) -> dict[str, np.ndarray]:
    """By kind of stream, `(N, 3) float64`: time in seconds, bytes and key flag, sorted by time."""
    rows: dict[str, list[tuple[float, int, bool]]] = {}
    with open_container(path) as container:
        chosen = [container.streams.best(kind) for kind in ("video", "audio")]
        for packet in container.demux([stream for stream in chosen if stream is not None]):
            if packet.pts is not None and packet.size:
                time_s = float(packet.pts * packet.time_base)
                rows.setdefault(packet.stream.type, []).append(
                    (time_s, packet.size, packet.is_keyframe)
                )
    return {kind: np.array(sorted(found), float) for kind, found in rows.items()}


def _picture(frame: av.VideoFrame) -> tuple[float, float, float, int]:
    """Mean luminance, its spread, detail in the two upper corners, and I, P or B as 0, 1, 2."""
    luma = frame.to_ndarray(format="gray").astype(np.float32)
    tall, wide = luma.shape[0] // 4, luma.shape[1] // 4
    detail = [
        np.abs(np.diff(corner, 2, axis=0)).mean() + np.abs(np.diff(corner, 2, axis=1)).mean()
        for corner in (luma[:tall, :wide], luma[:tall, -wide:])
    ]
    kind = int(frame.pict_type) - 1
    return float(luma.mean()), float(luma.std()), float(np.log(np.mean(detail) + 1e-3)), kind


def _of_pictures(
    pictures: np.ndarray, packets: np.ndarray, n_steps: int
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    luma, contrast, detail, kind = pictures.T
    count = min(len(pictures), len(packets))
    sizes, kind = np.log(packets[:count, 1]), kind[:count]
    keys = np.flatnonzero(packets[:, 2])
    change = np.abs(np.diff(luma, prepend=luma[0]))
    bytes_a_second = packets[:, 1].sum() / (len(packets) / VIDEO_RATE_HZ)
    clip = {
        "bitrate": float(np.log(bytes_a_second)),
        "packet size, mean": float(sizes.mean()),
        "packet size, spread": float(sizes.std()),
        "packet size, first": float(sizes[0]),
        "packet size, last": float(sizes[-1]),
        "I-frames": len(keys),
        "I-frame distance": float(np.diff(keys, append=count).mean()),
        "P-frame share": float((kind == 1).mean()),
        "luminance": float(luma.mean()),
        "luminance, spread": float(luma.std()),
        "luminance, largest change": float(change.max()),
        "luminance, first frame": float(luma[0] - np.median(luma)),
        "luminance, last frame": float(luma[-1] - np.median(luma)),
        "black frames": float((luma < LUMA_BLACK).mean()),
        "contrast": float(contrast.mean()),
        "corner detail": float(detail.mean()),
        "corner detail, spread": float(detail.std()),
        "corner detail, first frame": float(detail[0] - np.median(detail)),
    }
    for number, name in enumerate(KINDS):
        own = kind == number
        clip[f"{name} packet size"] = float(sizes[own].mean()) if own.any() else np.nan
    for number in set(kind):  # a key frame is large whatever it shows
        sizes[kind == number] -= np.median(sizes[kind == number])
    steps = {
        "packet size": sizes,
        "key frame": packets[:count, 2],
        "P-frame": (kind == 1).astype(float),
        "luminance": luma - np.median(luma),
        "luminance change": change,
        "corner detail": detail - np.median(detail),
    }
    return _named("visual", clip), _on_grid("visual", steps, n_steps)


def _of_sound(
    audio: np.ndarray, packets: np.ndarray, n_steps: int
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    levels = _decibels(audio, BLOCK_SAMPLES)
    silent = levels < SILENT_DB
    loud = np.flatnonzero(~silent)
    low, middle, high = np.quantile(levels, LEVELS)
    quiet = levels < high - 35
    spectrum = _spectrum(audio)
    frequency = np.linspace(0, AUDIO_RATE_HZ / 2, len(spectrum))
    reached = np.cumsum(spectrum) / (spectrum.sum() + 1e-12)
    sizes = packets[:, 1]
    clip = {
        "bitrate": float(np.log(sizes.sum() / (len(audio) / AUDIO_RATE_HZ))),
        "packet size, mean": float(np.log(sizes).mean()),
        "packet size, spread": float(np.log(sizes).std()),
        "packet size, first": float(np.log(sizes[0])),
        "packet size, last": float(np.log(sizes[-1])),
        "packets a second": len(sizes) / (len(audio) / AUDIO_RATE_HZ),
        "loudness": float(_decibels(audio, len(audio))[0]),
        "loudness, median": float(middle),
        "loudness, spread": float(high - low),
        "peak": float(20 * np.log10(np.abs(audio).max() + 1e-5)),
        "clipped share": float((np.abs(audio) > 0.98).mean()),
        "silence": float(silent.mean()),
        "pauses": float(quiet.mean()),
        "digital zero": float((audio == 0).mean()),
        "leading silence": float(loud[0] if len(loud) else len(levels)) / 100,
        "trailing silence": float(len(levels) - 1 - loud[-1] if len(loud) else len(levels)) / 100,
        "first level": float(levels[:5].mean() - middle),
        "last level": float(levels[-5:].mean() - middle),
        "noise floor": float(low),
        "largest jump": float(np.abs(np.diff(levels)).max(initial=0.0)),
        "offset": float(20 * np.log10(abs(audio.mean()) + 1e-4)),
        "roll-off 85 %": float(frequency[np.searchsorted(reached, 0.85)]),
        "roll-off 99 %": float(frequency[np.searchsorted(reached, 0.99)]),
        "above 7 kHz": float(np.log(spectrum[frequency > 7000].sum() / spectrum.sum() + 1e-9)),
        "above 4 kHz": float(np.log(spectrum[frequency > 4000].sum() / spectrum.sum() + 1e-9)),
    }
    loudness = _decibels(audio, int(AUDIO_RATE_HZ / VIDEO_RATE_HZ))[:n_steps]
    jump = np.abs(np.diff(loudness, prepend=loudness[0]))
    middles = (np.arange(n_steps) + 0.5) / VIDEO_RATE_HZ
    held = np.searchsorted(packets[:, 0], middles, "right").clip(1, len(packets)) - 1
    steps = {
        "packet size": np.log(sizes / np.median(sizes))[held],
        "loudness": loudness - np.median(loudness),
        "loudness jump": np.maximum(jump, np.append(jump[1:], 0.0)),
        "silence": (loudness < SILENT_DB).astype(float),
        "pause": (loudness < np.quantile(loudness, 0.95) - 30).astype(float),
    }
    return _named("audio", clip), _on_grid("audio", steps, n_steps)


def _decibels(audio: np.ndarray, block: int) -> np.ndarray:
    """`(S,)` -> the level of every whole block, in dB of full scale."""
    blocks = audio[: len(audio) // block * block].reshape(-1, block).astype(np.float64)
    return np.maximum(10 * np.log10((blocks**2).mean(1) + 1e-10), FLOOR_DB)


def _spectrum(audio: np.ndarray) -> np.ndarray:
    blocks = audio[: len(audio) // 512 * 512].reshape(-1, 512) * np.hanning(512)
    return (np.abs(np.fft.rfft(blocks)) ** 2).mean(0) + 1e-12


def _named(stream: str, values: dict[str, float]) -> dict[str, float]:
    return {f"{stream} {name}": float(value) for name, value in values.items()}


def _on_grid(stream: str, values: dict[str, np.ndarray], n_steps: int) -> dict[str, np.ndarray]:
    """Every series as long as the grid: cut, or its last value held."""
    return {
        f"{stream} {name}": np.pad(series[:n_steps], (0, n_steps - len(series[:n_steps])), "edge")
        for name, series in values.items()
    }
