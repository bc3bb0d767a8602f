"""All variants of one source: the authentic clip, and forged in picture, in sound or in both.

Speech without a picture has the variants of the sound alone. All variants of a source leave with
the same size, loudness and quality. The families themselves are in `picture` and `sound`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deeploc.media.clip import VIDEO_RATE_HZ
from deeploc.media.writer import write_clip
from deeploc.preprocess.audio import STEP_SAMPLES
from train.data.sound_files import write_speech
from train.forge.config import null_families
from train.forge.donors import choose_donor, other_people
from train.forge.metadata import clip_record
from train.forge.picture.face import FaceVideo
from train.forge.picture.families import forge_picture
from train.forge.plan import AUTHENTIC, Plan, SourceClip, Variant, variants_of
from train.forge.recording import Recording, load_recording, remove_offset
from train.forge.registry import (
    PICTURE_FAMILIES,
    SOUND_FAMILIES,
    Family,
    PictureFamily,
    SoundFamily,
)
from train.forge.sound.families import draw_donor_start, forge_sound
from train.forge.spans import draw_spans

WHOLE_SHARE = 0.5  # of re-encoded clips, the others are re-encoded for a while
HELD_OUT_SHARE = 0.35  # of forgeries in test clips
DUBBED_SHARE = 0.25  # of clips that are forged in both streams

Made = dict[str, dict[str, Any]]  # by stream: family, spans in steps, and parameters of each


def forge_source(plan: Plan, source: SourceClip) -> list[dict[str, Any]]:
    """Write every variant of one source and return their metadata records."""
    config = plan.config
    recording = load_recording(source, config.seed, config.height)
    lowest, highest = config.crf
    quality = np.random.default_rng([config.seed, source.number, 1]).integers(lowest, highest + 1)
    records = []
    suffix = ".m4a" if source.audio_only else ".mp4"
    original = f"{source.split}/{100 * source.number:06d}{suffix}"
    for index, variant in enumerate([AUTHENTIC, *variants_of(plan, source)]):
        rng = np.random.default_rng([config.seed, source.number, 2, index])
        frames, audio, made = forge_variant(plan, source, recording, variant, rng)
        name = f"{source.split}/{100 * source.number + index:06d}{suffix}"
        path, audio = Path(plan.out) / name, remove_offset(audio)
        if frames is None:
            write_speech(path, audio)
        else:
            write_clip(path, frames, audio, rate_hz=VIDEO_RATE_HZ, crf=int(quality))
        made_from = original if index else None
        records.append(clip_record(plan, source, name, made_from, recording.n_frames, made))
    return records


def forge_variant(
    plan: Plan,
    source: SourceClip,
    recording: Recording,
    variant: Variant,
    rng: np.random.Generator,
) -> tuple[np.ndarray | None, np.ndarray, Made]:
    """Frames `(T, H, W, 3) uint8` or None, audio `(S,) float32`, and what was done to each.

    A quarter of the clips that are forged in both streams is dubbed, if the corpus has families
    that can be.
    """
    name, streams = variant
    if name == "both" and rng.random() < DUBBED_SHARE and (dubs := possible_dubs(plan, source)):
        return dub(plan, source, recording, dubs[rng.integers(len(dubs))], rng)
    video, audio = recording.video, recording.audio
    made: Made = {}
    n_frames = recording.n_frames
    budget_s = n_frames / VIDEO_RATE_HZ * plan.config.forged_share
    apart = len(streams) == 2 and rng.random() < 0.5
    spans: list[tuple[int, int]] = []
    for stream in streams:
        if apart or not spans:
            spans = draw_spans(n_frames, budget_s / (1 + apart), rng)
        if name == "recoded" and rng.random() < WHOLE_SHARE:
            spans = [(0, n_frames)]
        families: Mapping[str, Family] = PICTURE_FAMILIES if stream == "visual" else SOUND_FAMILIES
        null = name in null_families()
        family = families[name] if null else draw_family(families, plan, source, rng)
        donor = choose_donor(plan, source, recording, family, rng)
        made[stream] = {"family": family.name, "spans": spans, "params": []}
        for start, end in spans:
            if stream == "visual" and video:
                face = donor.video if donor else None
                frames, params = forge_picture(video, (start, end), family.name, rng, face)
                video = FaceVideo(frames, video.landmarks)
            else:
                samples = (start * STEP_SAMPLES, end * STEP_SAMPLES)
                speech, test = donor.audio if donor else None, source.split == "test"
                audio, params = forge_sound(
                    audio, samples, family.name, rng, speech, test, plan.vocoder
                )
            made[stream]["params"].append(params)
    return video.frames if video else None, audio, made


def draw_family(
    families: Mapping[str, Family], plan: Plan, source: SourceClip, rng: np.random.Generator
) -> Family:
    """One of the stream's families that this source may have."""
    alone = not other_people(plan, source)
    possible = [
        family
        for family in families.values()
        if family.name in plan.config.families
        and not family.null
        and not (alone and family.donor == "other person")
    ]
    held_out = [family for family in possible if family.name in plan.config.held_out]
    trained = [family for family in possible if family not in held_out]
    if source.split == "test" and held_out and rng.random() < HELD_OUT_SHARE:
        return families[str(rng.choice([family.name for family in held_out]))]
    weights = np.array([family.weight for family in trained])
    names = [family.name for family in trained]
    return families[str(rng.choice(names, p=weights / weights.sum()))]


def possible_dubs(plan: Plan, source: SourceClip) -> list[tuple[PictureFamily, SoundFamily]]:
    """Families of picture and sound that can be of one donor, of those this source may have."""
    allowed = set(plan.config.families) - set(plan.config.held_out)
    alone = not other_people(plan, source)
    return [
        (picture, sound)
        for picture in PICTURE_FAMILIES.values()
        if picture.dubbed_with and {picture.name, picture.dubbed_with} <= allowed
        for sound in [SOUND_FAMILIES[picture.dubbed_with]]
        if not (alone and "other person" in (picture.donor, sound.donor))
    ]


def dub(
    plan: Plan,
    source: SourceClip,
    recording: Recording,
    families: tuple[PictureFamily, SoundFamily],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, Made]:
    """As `forge_variant`, with the lips and the voice of the same moments of one donor: lips that
    follow the new sound."""
    assert recording.video
    picture, sound = families
    takes_from = picture if picture.donor == "other person" else sound
    donor = choose_donor(plan, source, recording, takes_from, rng)
    face, speech = (donor.video, donor.audio) if donor else (None, None)
    video, audio = recording.video, recording.audio
    n_frames = recording.n_frames
    spans = draw_spans(n_frames, n_frames / VIDEO_RATE_HZ * plan.config.forged_share, rng)
    lips, voice = [], []
    for start, end in spans:
        samples = (start * STEP_SAMPLES, end * STEP_SAMPLES)
        begin = draw_donor_start(audio, samples, speech, rng, STEP_SAMPLES)
        step = begin // STEP_SAMPLES
        frames, params = forge_picture(video, (start, end), picture.name, rng, face, step)
        video = FaceVideo(frames, video.landmarks)
        lips.append(params)
        audio, params = forge_sound(audio, samples, sound.name, rng, speech, donor_start=begin)
        voice.append(params | {"donor_start": step})
    made = {
        "visual": {"family": picture.name, "spans": spans, "params": lips},
        "audio": {"family": sound.name, "spans": spans, "params": voice},
    }
    return video.frames, audio, made
