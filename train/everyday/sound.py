"""Everyday changes of the voice: what a recorder, an editor, a call or a room makes of it.

Every kind keeps the picture and the number of steps. Nothing here adds silence (`silence`) or other
sounds (`noises`).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
import torch
from scipy.ndimage import find_objects, gaussian_filter1d, label
from scipy.signal import (
    butter,
    correlate,
    fftconvolve,
    istft,
    resample_poly,
    sosfilt,
    sosfiltfilt,
    stft,
)
from torchaudio.functional import mu_law_decoding, mu_law_encoding

from deeploc.media.clip import AUDIO_RATE_HZ, VIDEO_RATE_HZ
from deeploc.preprocess.audio import STEP_SAMPLES
from train.everyday.recording import Change, Recording, samples_of, steps_of
from train.everyday.registry import everyday

RATE_HZ = int(AUDIO_RATE_HZ)
LEVEL_SAMPLES = samples_of(0.02)
QUIETEST_SPEECH = 0.01  # of a clip without sound: changes are as loud as if somebody spoke softly
MIN_SPAN_STEPS = 4
MAX_DENOISER_DELAY = 1024  # samples
STFT_SAMPLES, STFT_OVERLAP = 512, 384

Span = tuple[int, int]


def ratio_of(decibels: float) -> float:
    """Decibels -> a factor of amplitude."""
    return float(10 ** (decibels / 20))


def levels(audio: np.ndarray) -> np.ndarray:
    """`audio (S,)` -> root mean square of every 20 ms, `(S // 320,)`."""
    pieces = audio[: len(audio) // LEVEL_SAMPLES * LEVEL_SAMPLES].reshape(-1, LEVEL_SAMPLES)
    return np.sqrt((pieces.astype(np.float64) ** 2).mean(axis=1))


def speech_level(audio: np.ndarray) -> float:
    """The root mean square of the louder moments of a clip, and never nothing."""
    return max(QUIETEST_SPEECH, float(np.quantile(levels(audio), 0.9)))


def noise_level(audio: np.ndarray) -> float:
    """The root mean square of the quieter moments, at least 50 dB below the speech."""
    return max(float(np.quantile(levels(audio), 0.1)), speech_level(audio) * ratio_of(-50))


def draw_span(
    n_steps: int, seconds: tuple[float, float], rng: np.random.Generator, whole_share: float = 0.0
) -> Span:
    """A stretch of steps `[start, end)`, at most two thirds of the clip; now and then all of it."""
    length = steps_of(rng.uniform(*seconds))
    length = int(np.clip(length, MIN_SPAN_STEPS, max(MIN_SPAN_STEPS, 2 * n_steps // 3)))
    start = int(rng.integers(n_steps - length + 1))
    return (0, n_steps) if rng.random() < whole_share else (start, start + length)


def span_weight(n_steps: int, span: Span, fade_s: float) -> np.ndarray:
    """`(640 T,) float32`: 1 in a span, 0 outside, with soft edges inside it.

    Where the span begins or ends with the clip, that edge is hard.
    """
    first, last = span[0] * STEP_SAMPLES, span[1] * STEP_SAMPLES
    ramp_samples = min(samples_of(fade_s), (last - first) // 2)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(ramp_samples) + 0.5) / max(1, ramp_samples))
    weight = np.zeros(n_steps * STEP_SAMPLES, np.float32)
    weight[first:last] = 1
    if span[0] > 0:
        weight[first : first + ramp_samples] = ramp
    if span[1] < n_steps:
        weight[last - ramp_samples : last] = ramp[::-1]
    return weight


def filtered(
    audio: np.ndarray, name: str, longest_delay: int = 0, **options: float | str
) -> np.ndarray:
    """`audio (S,) float32` through a filter of FFmpeg, `(S,) float32`.

    A filter that delays the sound by up to `longest_delay` samples, without saying so, is made up
    for: the delay is where its output resembles its input most.
    """
    graph = av.filter.Graph()
    tick = Fraction(1, RATE_HZ)
    source = graph.add_abuffer(sample_rate=RATE_HZ, format="flt", layout="mono", time_base=tick)
    arguments = ":".join(f"{key}={value}" for key, value in options.items())
    same = f"sample_fmts=flt:sample_rates={RATE_HZ}:channel_layouts=mono"
    nodes = [graph.add(name, arguments), graph.add("aformat", same), graph.add("abuffersink")]
    graph.link_nodes(source, *nodes).configure()
    padded = np.pad(audio, (0, longest_delay)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(padded[None], "flt", "mono")
    frame.sample_rate, frame.time_base, frame.pts = RATE_HZ, tick, 0
    graph.push(frame)
    graph.push(None)
    pieces = []
    while True:
        try:
            pieces.append(graph.pull().to_ndarray()[0])
        except (av.error.BlockingIOError, av.error.EOFError):
            break
    made = np.concatenate(pieces)
    made = np.pad(made, (0, max(0, len(padded) - len(made))))[: len(padded)]
    delay = int(np.argmax(correlate(made, audio, "valid", "fft")))
    return made[delay : delay + len(audio)].astype(np.float32)


def changed_for(
    recording: Recording, wet: np.ndarray, span: Span, fade_s: float, params: dict[str, Any]
) -> Change:
    """The change that a span of a clip sounds as in `wet (640 T,)`, with soft edges."""
    weight = span_weight(recording.n_steps, span, fade_s)
    audio = recording.audio + weight * (wet.astype(np.float32) - recording.audio)
    params = {
        "seconds": round((span[1] - span[0]) / VIDEO_RATE_HZ, 2),
        "fade_s": round(fade_s, 3),
    } | params
    return Change(recording.with_audio(audio), (span,), params)


def _rounded(**params: float) -> dict[str, float]:
    return {name: round(float(value), 3) for name, value in params.items()}


@everyday("sound-fade", "sound")
def fade(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """The sound fades in, out, or both, to nothing."""
    manner = str(rng.choice(["in", "out", "both"]))
    seconds = rng.uniform(0.2, 1.6, 2)
    power = float(rng.uniform(0.7, 2.5))
    longest = recording.n_steps // 3
    audio = recording.audio.copy()
    spans: list[Span] = []
    for side, length_s in zip(("in", "out"), seconds, strict=True):
        if manner not in (side, "both"):
            continue
        length = int(np.clip(steps_of(length_s), 2, longest))
        gain = ((np.arange(length * STEP_SAMPLES) / (length * STEP_SAMPLES)) ** power).astype("f4")
        if side == "in":
            audio[: len(gain)] *= gain
            spans.append((0, length))
        else:
            audio[-len(gain) :] *= gain[::-1]
            spans.append((recording.n_steps - length, recording.n_steps))
    lengths = [round((end - start) / VIDEO_RATE_HZ, 2) for start, end in spans]
    params = {"manner": manner, "seconds": lengths, "power": round(power, 3)}
    return Change(recording.with_audio(audio), tuple(spans), params)


@everyday("noise-gate", "sound")
def noise_gate(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """A gate closes wherever nobody speaks loudly, as in calls and podcasts."""
    audio = recording.audio
    place, reduction_db = rng.uniform(0.3, 0.85), rng.uniform(-60, -12)
    threshold = noise_level(audio) ** (1 - place) * speech_level(audio) ** place
    attack_ms, release_ms = rng.uniform(1, 20), np.exp(rng.uniform(np.log(20), np.log(400)))
    ratio = rng.uniform(3, 30)
    gated = filtered(
        audio,
        "agate",
        threshold=min(1.0, threshold),
        range=ratio_of(reduction_db),
        ratio=ratio,
        attack=attack_ms,
        release=release_ms,
        detection="rms",
    )
    differs = (np.abs(gated - audio) > 1e-5).reshape(-1, STEP_SAMPLES).any(axis=1)
    made = np.where(np.repeat(differs, STEP_SAMPLES), gated, audio)
    spans = tuple((int(run.start), int(run.stop)) for (run,) in find_objects(label(differs)[0]))
    params = _rounded(
        threshold_db=20 * np.log10(threshold),
        reduction_db=reduction_db,
        ratio=ratio,
        attack_ms=attack_ms,
        release_ms=release_ms,
    )
    return Change(recording.with_audio(made), spans, params)


@everyday("denoiser", "sound", held_out=True)
def denoiser(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """A denoiser for the whole clip or for a while: FFmpeg's, or plain spectral subtraction."""
    audio = recording.audio
    span = draw_span(recording.n_steps, (1.0, 4.0), rng, whole_share=0.6)
    manner = str(rng.choice(["filter", "subtraction"]))
    reduction_db, zeal = float(rng.uniform(8, 30)), float(rng.uniform(0, 1))
    params: dict[str, Any] = {"manner": manner} | _rounded(reduction_db=reduction_db, zeal=zeal)
    if manner == "filter":
        # The zealous take the softer parts of the voice for noise, too.
        towards = 0.1 + 0.5 * zeal
        noise = noise_level(audio) ** (1 - towards) * speech_level(audio) ** towards
        floor_db = float(np.clip(20 * np.log10(noise), -80, -20))
        wet = filtered(audio, "afftdn", MAX_DENOISER_DELAY, nr=reduction_db, nf=floor_db)
    else:
        smoothing = float(rng.uniform(0.0, 2.0))
        wet = _spectral_subtraction(audio, reduction_db, zeal, smoothing)
        params |= _rounded(smoothing=smoothing)
    return changed_for(recording, wet, span, 0.02, params)


def _spectral_subtraction(
    audio: np.ndarray, reduction_db: float, zeal: float, smoothing: float
) -> np.ndarray:
    """The spectrum of the quieter moments taken off every moment (Boll, 1979)."""
    _, _, spectrum = stft(audio, RATE_HZ, nperseg=STFT_SAMPLES, noverlap=STFT_OVERLAP)
    size = np.abs(spectrum)
    noise = (1.5 + 2 * zeal) * np.quantile(size, 0.1 + 0.3 * zeal, axis=1, keepdims=True)
    gain = np.maximum(1 - noise / (size + 1e-9), ratio_of(-reduction_db))
    if smoothing > 0.3:
        gain = gaussian_filter1d(gain, smoothing, axis=1, mode="nearest")
    _, made = istft(gain * spectrum, RATE_HZ, nperseg=STFT_SAMPLES, noverlap=STFT_OVERLAP)
    return np.pad(made, (0, max(0, len(audio) - len(made))))[: len(audio)].astype(np.float32)


@everyday("volume-step", "sound")
def volume_step(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """Louder or softer from one moment to another, or from it on."""
    start, end = draw_span(recording.n_steps, (0.5, 4.0), rng)
    if rng.random() < 0.5:
        start, end = max(1, start), recording.n_steps
    gain_db = float(rng.uniform(2, 14) * rng.choice([-1, 1]))
    if np.abs(recording.audio).max() * ratio_of(gain_db) > 1:
        gain_db = -gain_db  # louder would be another change: `clipping`
    fade_s = float(rng.choice([0.0, 0.01, 0.1, 0.4]))
    louder = recording.audio * ratio_of(gain_db)
    return changed_for(recording, louder, (start, end), fade_s, _rounded(gain_db=gain_db))


@everyday("automatic-gain", "sound", held_out=True)
def automatic_gain(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """A recorder that follows the loudness: pauses swell, and loud words are held down."""
    audio, whole = recording.audio, (0, recording.n_steps)
    manner = str(rng.choice(["normaliser", "compressor"]))
    if manner == "normaliser":
        # Only as many frames as the clip has, else the filter's window is longer than the sound.
        frame_ms = int(rng.integers(60, 300))
        window = int(2 * rng.integers(1, 6) + 1)
        largest, peak = rng.uniform(3, 15), rng.uniform(0.4, 0.95)
        wet = filtered(audio, "dynaudnorm", f=frame_ms, g=window, m=largest, p=peak)
        params = _rounded(frame_ms=frame_ms, window=window, largest_gain=largest, peak=peak)
    else:
        below_db, ratio = rng.uniform(3, 20), rng.uniform(3, 15)
        attack_ms, release_ms = rng.uniform(2, 40), rng.uniform(80, 900)
        threshold = float(np.clip(speech_level(audio) * ratio_of(-below_db), 0.001, 1))
        wet = filtered(
            audio,
            "acompressor",
            threshold=threshold,
            ratio=ratio,
            attack=attack_ms,
            release=release_ms,
            makeup=ratio_of(below_db * (1 - 1 / ratio)),
        )
        params = _rounded(
            below_db=below_db, ratio=ratio, attack_ms=attack_ms, release_ms=release_ms
        )
    return changed_for(recording, wet, whole, 0.0, {"manner": manner} | params)


@everyday("clipping", "sound")
def clipping(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """The loudest parts are cut off: too much gain before the recorder, hard or soft."""
    span = draw_span(recording.n_steps, (0.6, 4.0), rng, whole_share=0.4)
    part = np.abs(recording.audio[span[0] * STEP_SAMPLES : span[1] * STEP_SAMPLES])
    drive_db, manner = float(rng.uniform(3, 20)), str(rng.choice(["hard", "soft"]))
    regained_db = float(rng.uniform(0, drive_db))
    ceiling = max(float(part.max()) * ratio_of(-drive_db), 1e-4)
    if manner == "hard":
        cut = np.clip(recording.audio, -ceiling, ceiling)
    else:
        cut = ceiling * np.tanh(recording.audio / ceiling)
    wet = np.clip(cut * ratio_of(regained_db), -1, 1)
    params = {"manner": manner} | _rounded(drive_db=drive_db, regained_db=regained_db)
    return changed_for(recording, wet, span, 0.005, params)


@everyday("telephone-band", "sound", held_out=True)
def telephone_band(
    recording: Recording, rng: np.random.Generator, other: Recording | None
) -> Change:
    """The voice over a telephone line for a while: its band, and its 8 bits at 8 kHz."""
    span = draw_span(recording.n_steps, (0.8, 4.0), rng, whole_share=0.25)
    low_hz, high_hz = rng.uniform(150, 400), rng.uniform(2600, 3600)
    order, gain_db = int(rng.integers(2, 5)), rng.uniform(-4, 4)
    band = butter(order, (low_hz, high_hz), "bandpass", fs=RATE_HZ, output="sos")
    wet = sosfiltfilt(band, recording.audio)
    digital = bool(rng.random() < 0.6)
    if digital:
        slow = torch.from_numpy(np.clip(resample_poly(wet, 1, 2), -1, 1))
        wet = resample_poly(mu_law_decoding(mu_law_encoding(slow, 256), 256).numpy(), 2, 1)
    params: dict[str, Any] = {"digital": digital, "order": order}
    params |= _rounded(low_hz=low_hz, high_hz=high_hz, gain_db=gain_db)
    return changed_for(recording, wet * ratio_of(gain_db), span, 0.005, params)


@everyday("other-room", "sound")
def other_room(recording: Recording, rng: np.random.Generator, other: Recording | None) -> Change:
    """The voice in another room for a while, or farther from the microphone."""
    span = draw_span(recording.n_steps, (0.8, 4.0), rng, whole_share=0.2)
    decay_s, direct_db = float(rng.uniform(0.2, 1.4)), float(rng.uniform(-8, 10))
    bright_hz, gain_db = float(rng.uniform(1500, 6500)), float(rng.uniform(-6, 2))
    fade_s = float(rng.choice([0.0, 0.02, 0.2]))
    wet = fftconvolve(recording.audio, room_response(decay_s, direct_db, bright_hz, rng))
    wet = wet[: len(recording.audio)]
    power, wet_power = (float((sound**2).mean()) for sound in (recording.audio, wet))
    wet = wet * ratio_of(gain_db) * np.sqrt(power / max(wet_power, 1e-12))
    params = _rounded(decay_s=decay_s, direct_db=direct_db, bright_hz=bright_hz, gain_db=gain_db)
    return changed_for(recording, wet, span, fade_s, params)


def room_response(
    decay_s: float, direct_db: float, bright_hz: float, rng: np.random.Generator
) -> np.ndarray:
    """The impulse response `(S,) float32` of a room: the direct sound, a few early reflections, and
    a tail of noise that falls by 60 dB in `decay_s` and is dull above `bright_hz`.

    `direct_db`: how much louder the direct sound is than all that follows.
    """
    time_s = np.arange(samples_of(decay_s)) / RATE_HZ
    tail = rng.normal(0, 1, len(time_s)) * 10 ** (-3 * time_s / decay_s)
    tail[: samples_of(rng.uniform(0.002, 0.02))] = 0
    early = rng.integers(samples_of(0.001), samples_of(0.05), int(rng.integers(3, 9)))
    tail[early] += rng.uniform(2, 6, len(early)) * rng.choice([-1, 1], len(early))
    tail = sosfilt(butter(1, bright_hz, fs=RATE_HZ, output="sos"), tail)
    response = tail * ratio_of(-direct_db) / np.sqrt((tail**2).sum())
    response[0] += 1
    return response.astype(np.float32)
