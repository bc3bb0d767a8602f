"""One chunk of an authentic clip in, its variants out: authentic, forged in picture, sound or both.
Speech without a picture has the variants of the sound alone.

All variants of a chunk leave with the same size, loudness and quality. The manipulations themselves
are in `forge_picture` and `forge_sound`; which clips there are is decided in `forge`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from PIL import Image
from scipy.signal import butter, sosfiltfilt

from deeploc.errors import (
    DeepLocError,
    NoFace,
)
from deeploc.faces.detector import FaceDetector
from deeploc.media.clip import (
    AUDIO_RATE_HZ,
    VIDEO_RATE_HZ,
    open_clip,
)
from deeploc.media.decode import sound_chunks
from deeploc.media.writer import write_clip
from deeploc.timeline import (
    Segment,
    Timeline,
)
from train.forge.picture import (
    face as forge_face,
)
from train.forge.picture import (
    families as forge_picture,
)
from train.forge.picture.face import (
    Picture,
    head_turn,
)
from train.forge.plan import (
    AUTHENTIC,
    NULLS,
    Chunk,
    Plan,
    variants_of,
)
from train.forge.sound import families as forge_sound
from train.forge.sound.text_to_speech import (
    ENGINES,
    is_installed,
)

MAX_HEIGHT = 360
SPAN_S = (0.4, 2.0)
MIN_GAP_S = 0.4
WHOLE_SHARE = 0.5
UNSEEN_PROBABILITY = 0.35
DUBBED_SHARE = 0.25
DUBS = (
    ("mouth-swap-self", "other-utterance"),
    ("mouth-swap-other", "other-speaker"),
    ("face-swap-other", "other-speaker"),
)
SIMILAR_TURN = 0.1
LOWEST_HZ = 30.0
STEP_SAMPLES = int(AUDIO_RATE_HZ / VIDEO_RATE_HZ)
SPEECH_BITRATE = 128_000


@dataclass(frozen=True)
class Talk:
    """A decoded chunk: a picture, if it has one, and its `audio (S,) float32`, 640 samples a
    frame."""

    picture: Picture | None
    audio: np.ndarray


@lru_cache(maxsize=1)
def _detector() -> FaceDetector:
    torch.set_num_threads(1)
    return FaceDetector()


@lru_cache(maxsize=4)
def load_talk(chunk: Chunk, seed: int) -> Talk:
    """The chunk's pixels, landmarks and sound. Raises `DeepLocError` when there is no face."""
    if chunk.unseen:
        audio = at_loudness(load_speech(chunk), np.random.default_rng([seed, chunk.number]))
        return Talk(None, audio)
    clip = open_clip(chunk.path)
    if clip.audio is None:
        raise NoFace("the clip has no sound; forging needs clips of people talking")
    frames = np.stack([small(f) for f in islice(clip.frames(), chunk.start, chunk.stop)])
    audio = clip.audio[chunk.start * STEP_SAMPLES : chunk.stop * STEP_SAMPLES]
    audio = np.pad(audio, (0, len(frames) * STEP_SAMPLES))[: len(frames) * STEP_SAMPLES]
    audio = at_loudness(steady(audio), np.random.default_rng([seed, chunk.number]))
    landmarks = forge_face.follow_landmarks(frames, _detector())
    return Talk(Picture(frames, landmarks), audio)


def load_speech(chunk: Chunk) -> np.ndarray:
    """The chunk's sound alone, `(S,) float32`, 640 samples a step."""
    first, last = (step * STEP_SAMPLES for step in (chunk.start, chunk.stop))
    return steady(np.pad(heard(Path(chunk.path)), (0, last))[first:last])


def heard(path: Path) -> np.ndarray:
    """All sound of a file, `(S,) float32`, 16 kHz mono; empty without any."""
    sound = np.zeros(0, np.float32)
    for start, samples in sound_chunks(path, 0.0, AUDIO_RATE_HZ):
        begin = max(start, 0)
        sound = np.pad(sound, (0, max(0, begin + len(samples) - len(sound))))
        sound[begin : begin + len(samples)] = samples
    return sound


def at_loudness(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`audio (S,) float32` at a loudness drawn for the clip."""
    wanted = 10 ** (rng.uniform(-27, -20) / 20)
    gain = wanted / (np.sqrt(np.mean(audio**2)) + 1e-6)
    gain = min(gain, 0.95 / (np.abs(audio).max() + 1e-6))
    return (audio * gain).astype(np.float32)


def steady(audio: np.ndarray) -> np.ndarray:
    """`(S,)` without what is too low to hear: a recording's offset, which forged sound lacks."""
    low = butter(2, LOWEST_HZ, "highpass", fs=AUDIO_RATE_HZ, output="sos")
    return sosfiltfilt(low, audio).astype(np.float32)


def small(frame: np.ndarray) -> np.ndarray:
    """The picture `(H, W, 3) uint8`, at most 360 pixels high, with even sides."""
    scale = min(1.0, MAX_HEIGHT / frame.shape[0])
    height, width = (max(2, round(side * scale / 2) * 2) for side in frame.shape[:2])
    if (height, width) == frame.shape[:2]:
        return frame
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS))


def draw_spans(n_frames: int, budget_s: float, rng: np.random.Generator) -> list[tuple[int, int]]:
    """One or two spans in steps, `budget_s` long in all at most, every moment as likely as another.

    They are laid on the clip as if its end met its beginning, and one that crosses there is two.
    Wherever speech or the middle of a clip were preferred, loudness and time would tell.
    """
    count = int(rng.integers(1, 3)) if budget_s >= 1.6 else 1
    longest = max(SPAN_S[0], min(SPAN_S[1], (budget_s - SPAN_S[0] / 2) / count))
    lengths = [int(rng.uniform(SPAN_S[0], longest) * VIDEO_RATE_HZ) for _ in range(count)]
    least, gap = (int(seconds * VIDEO_RATE_HZ) for seconds in (SPAN_S[0], MIN_GAP_S))
    free = n_frames - sum(lengths) - count * gap
    start = int(rng.integers(n_frames))
    spans = []
    for length in lengths:
        begin, end = start % n_frames, start % n_frames + length
        for first, last in ((begin, min(end, n_frames)), (0, end - n_frames)):
            if last - first >= least // 2:  # half of the too short pieces go, half are lengthened
                spans.append((max(0, min(first, n_frames - least)), max(last, least)))
        start += length + gap + int(rng.integers(free + 1))
    covered = sum(last - first for first, last in spans)
    if covered > max(SPAN_S[0], budget_s) * VIDEO_RATE_HZ:
        return draw_spans(n_frames, budget_s, rng)
    return sorted(spans)


def draw_family(module: Any, plan: Plan, chunk: Chunk, rng: np.random.Generator) -> str:
    """A family of `forge_picture` or `forge_sound` that this chunk's split may use."""
    alone = not _others(plan, chunk)
    unseen = [name for name in module.UNSEEN_FAMILIES if name in plan.unseen]
    seen = [name for name in module.FAMILIES if name not in plan.unseen]
    if alone:
        seen = [name for name in seen if name not in module.FROM_OTHERS]
    seen, unseen = ([name for name in names if _can_be_made(name)] for names in (seen, unseen))
    if chunk.split == "test" and unseen and rng.random() < UNSEEN_PROBABILITY:
        return str(rng.choice(unseen))
    weights = np.array([module.FAMILIES[name] for name in seen], float)
    return str(rng.choice(seen, p=weights / weights.sum()))


def _can_be_made(family: str) -> bool:
    return family not in ENGINES or is_installed(family)


def _others(plan: Plan, chunk: Chunk) -> list[Chunk]:
    return [
        other
        for other in plan.chunks
        if other.split == chunk.split
        and other.identity != chunk.identity
        and other.unseen == chunk.unseen
    ]


def _donor(
    plan: Plan, chunk: Chunk, talk: Talk, family: str, rng: np.random.Generator
) -> Talk | None:
    """Another person of the same split where the family needs one, or more of the same person.

    Faces are swapped with somebody who holds the head in much the same way, if one is soon found.
    """
    if family in forge_picture.FROM_OTHERS:
        tried = _loaded(_others(plan, chunk), 4, plan.seed, rng)
        return _most_alike(talk, tried)
    if family in forge_sound.FROM_OTHERS:
        return next(_loaded(_others(plan, chunk), 4, plan.seed, rng), None)
    if family in ("other-utterance", "copy-synthesis") and rng.random() < 0.5:
        own = [
            other
            for other in plan.chunks
            if other.identity == chunk.identity and other != chunk and other.unseen == chunk.unseen
        ]
        return next(_loaded(own, 2, plan.seed, rng), None)
    return None


def _most_alike(talk: Talk, tried: Iterator[Talk]) -> Talk | None:
    best, smallest = None, np.inf
    turn = _head_turn(talk)
    for donor in tried:
        gap = abs(_head_turn(donor) - turn)
        if gap < smallest:
            best, smallest = donor, gap
        if gap < SIMILAR_TURN:
            break
    return best


def _head_turn(talk: Talk) -> float:
    assert talk.picture
    return head_turn(talk.picture, 0, len(talk.audio))


def _loaded(
    candidates: list[Chunk], most: int, seed: int, rng: np.random.Generator
) -> Iterator[Talk]:
    for index in rng.permutation(len(candidates))[:most]:
        try:
            yield load_talk(candidates[index], seed)
        except DeepLocError:
            continue


def forge_chunk(plan: Plan, chunk: Chunk) -> list[dict[str, Any]]:
    """Write every variant of one chunk and return their metadata records."""
    talk = load_talk(chunk, plan.seed)
    quality = int(np.random.default_rng([plan.seed, chunk.number, 1]).integers(18, 27))
    records = []
    variants = variants_of(plan, chunk)
    suffix = ".m4a" if chunk.unseen else ".mp4"
    original = f"{chunk.split}/{100 * chunk.number:06d}{suffix}"
    for index, (variant, streams) in enumerate([AUTHENTIC, *variants]):
        rng = np.random.default_rng([plan.seed, chunk.number, 2, index])
        frames, audio, made = forge_talk(plan, chunk, talk, variant, streams, rng)
        name = f"{chunk.split}/{100 * chunk.number + index:06d}{suffix}"
        path = Path(plan.out) / name
        if frames is None:
            write_speech(path, steady(audio))
        else:
            write_clip(path, frames, steady(audio), rate_hz=VIDEO_RATE_HZ, crf=quality)
        n_frames = len(audio) // STEP_SAMPLES
        records.append(record(plan, chunk, name, original if index else None, n_frames, made))
    return records


def write_speech(path: Path, audio: np.ndarray) -> None:
    """`(S,) float32` at 16 kHz as AAC in an m4a, coded as the sound of a clip is."""
    with av.open(str(path), "w", format="ipod", options={"fflags": "bitexact"}) as container:
        stream = container.add_stream("aac", rate=int(AUDIO_RATE_HZ), layout="mono")
        stream.bit_rate = SPEECH_BITRATE
        frame = av.AudioFrame.from_ndarray(audio[None].astype(np.float32), "flt", "mono")
        frame.sample_rate = int(AUDIO_RATE_HZ)
        frame.pts, frame.time_base = 0, Fraction(1, frame.sample_rate)  # or it comes out later
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def forge_talk(
    plan: Plan,
    chunk: Chunk,
    talk: Talk,
    variant: str,
    streams: tuple[str, ...],
    rng: np.random.Generator,
) -> tuple[np.ndarray | None, np.ndarray, dict[str, dict[str, Any]]]:
    """Frames, sound, and by forged stream its family, spans (steps) and parameters.

    A quarter of the clips forged in both is dubbed, if the plan has families that can be.
    """
    if variant == "both" and rng.random() < DUBBED_SHARE and (dubs := possible_dubs(plan, chunk)):
        return dub_talk(plan, chunk, talk, dubs[rng.integers(len(dubs))], rng)
    frames, audio = talk.picture.frames if talk.picture else None, talk.audio
    made: dict[str, dict[str, Any]] = {}
    n_frames = len(audio) // STEP_SAMPLES
    budget_s = n_frames / VIDEO_RATE_HZ / 2
    apart = len(streams) == 2 and rng.random() < 0.5
    spans: list[tuple[int, int]] = []
    for stream in streams:
        if apart or not spans:
            spans = draw_spans(n_frames, budget_s / (1 + apart), rng)
        if variant == "recoded" and rng.random() < WHOLE_SHARE:
            spans = [(0, n_frames)]
        module = forge_picture if stream == "visual" else forge_sound
        family = variant if variant in NULLS else draw_family(module, plan, chunk, rng)
        donor = _donor(plan, chunk, talk, family, rng)
        made[stream] = {"family": family, "spans": spans, "params": []}
        for start, end in spans:
            if stream == "visual" and talk.picture and frames is not None:
                other = donor.picture if donor else None
                picture = Picture(frames, talk.picture.landmarks)
                frames, how = forge_picture.forge_picture(picture, (start, end), family, rng, other)
            else:
                samples = (start * STEP_SAMPLES, end * STEP_SAMPLES)
                speech = donor.audio if donor else None
                audio, how = forge_sound.forge_sound(
                    audio, samples, family, rng, speech, chunk.split == "test", plan.vocoder
                )
            made[stream]["params"].append(how)
    return frames, audio, made


def possible_dubs(plan: Plan, chunk: Chunk) -> list[tuple[str, str]]:
    """Families of picture and sound that can be of one donor, of those this chunk may use."""
    left_out = set(plan.unseen)
    if not _others(plan, chunk):
        left_out |= {*forge_picture.FROM_OTHERS, *forge_sound.FROM_OTHERS}
    return [dub for dub in DUBS if not left_out & set(dub)]


def dub_talk(
    plan: Plan, chunk: Chunk, talk: Talk, dub: tuple[str, str], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, dict[str, Any]]]:
    """As `forge_talk`, with the lips and the voice of the same moments of one donor: lips that
    follow the new sound."""
    assert talk.picture
    looks, speaks = dub
    donor = _donor(plan, chunk, talk, looks if looks in forge_picture.FROM_OTHERS else speaks, rng)
    picture, speech = (donor.picture, donor.audio) if donor else (None, None)
    frames, audio = talk.picture.frames, talk.audio
    spans = draw_spans(len(frames), len(frames) / VIDEO_RATE_HZ / 2, rng)
    lips, voice = [], []
    for start, end in spans:
        samples = (start * STEP_SAMPLES, end * STEP_SAMPLES)
        begin = forge_sound.draw_moment(audio, samples, speech, rng, STEP_SAMPLES)
        step = begin // STEP_SAMPLES
        own = Picture(frames, talk.picture.landmarks)
        frames, how = forge_picture.forge_picture(own, (start, end), looks, rng, picture, step)
        lips.append(how)
        audio, how = forge_sound.forge_sound(audio, samples, speaks, rng, speech, moment=begin)
        voice.append(how | {"donor_start": step})
    made = {
        "visual": {"family": looks, "spans": spans, "params": lips},
        "audio": {"family": speaks, "spans": spans, "params": voice},
    }
    return frames, audio, made


def record(
    plan: Plan,
    chunk: Chunk,
    name: str,
    original: str | None,
    n_frames: int,
    made: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    """One entry of `metadata.json`: the keys of LAV-DF, and ours."""
    forged = {stream: how for stream, how in made.items() if how["family"] not in NULLS}
    periods = {
        stream: [[start / VIDEO_RATE_HZ, end / VIDEO_RATE_HZ] for start, end in how["spans"]]
        for stream, how in forged.items()
    }
    union = Timeline.of(Segment(*period) for rows in periods.values() for period in rows)
    return {
        "file": name,
        "n_fakes": len(union),
        "fake_periods": [[segment.start, segment.end] for segment in union],
        "duration": n_frames / VIDEO_RATE_HZ,
        "original": original,
        "modify_video": "visual" in forged,
        "modify_audio": "audio" in forged,
        "split": chunk.split,
        "video_frames": n_frames,
        "audio_channels": 1,
        "audio_frames": n_frames * STEP_SAMPLES,
        "identity": chunk.identity,
        "family_visual": made["visual"]["family"] if "visual" in made else None,
        "family_audio": made["audio"]["family"] if "audio" in made else None,
        "visual_periods": periods.get("visual", []),
        "audio_periods": periods.get("audio", []),
        "seed": plan.seed,
        "params": made,
        "source": source_of(chunk),
    }


def source_of(chunk: Chunk) -> dict[str, Any]:
    """What a record says of the authentic clip that it was made from."""
    return {"file": Path(chunk.path).name, "start": chunk.start / VIDEO_RATE_HZ}
