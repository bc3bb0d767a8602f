"""Speech without pictures: vocoders, voices, and the way from sound files to a cache."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.io import wavfile

from deeploc.models.vocoder import HOP, Vocoder
from deeploc.preprocess.audio import FRAME_RATES_HZ, vocoder_lines
from train import examples
from train.data import extract
from train.data.cache import load_cache
from train.data.sound_files import read_sound, write_speech
from train.forge import corpus as forge
from train.forge.sound import fit_vocoder, vocoders
from train.forge.sound.text_to_speech import ESPEAK, FLITE, KOKORO, PIPER, speak_sentence

SECONDS = 4
RATE_HZ = vocoders.RATE_HZ


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return examples.synthetic_voice(SECONDS, np.random.default_rng(0)).astype(np.float32)


@pytest.fixture(scope="module")
def neural(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("vocoder") / "vocoder.safetensors"
    torch.manual_seed(0)
    save_file(Vocoder().state_dict(), path)
    return str(path)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, speech, neural):
    folder = tmp_path_factory.mktemp("speech")
    for person in ("ann", "bea"):
        (folder / "in" / person).mkdir(parents=True)
        wavfile.write(folder / "in" / person / "one.wav", RATE_HZ, speech)
    out = folder / "corpus"
    words = ["--speech", str(folder / "in"), "--out", str(out), "--workers", "1"]
    forge.main([*words, "--speech-rounds", "3", "--vocoder", neural])
    return out


@pytest.mark.skipif(not vocoders.HAS_WORLD, reason="pyworld is not installed")
@pytest.mark.parametrize("how", vocoders.WORLDS)
def test_world_keeps_length_and_words(how, speech):
    rebuilt = vocoders.vocode(speech, how, np.random.default_rng(0))
    levels = [vocoders.frame_levels(sound) for sound in (speech, rebuilt)]
    assert rebuilt.shape == speech.shape
    assert np.corrcoef(*levels)[0, 1] > 0.7


def test_the_neural_vocoder_keeps_any_length(neural):
    for length in (1, HOP, 5000):
        made = vocoders.vocode(np.ones(length), neural, np.random.default_rng(0))
        assert made.shape == (length,) and np.isfinite(made).all()


@pytest.mark.parametrize("frames_hz", vocoders.FRAME_RATES_HZ)
def test_the_neural_vocoder_leaves_its_lines_at_the_asked_frame_rate(neural, frames_hz):
    audio = np.random.default_rng(0).normal(0, 0.1, 64_000)
    made = vocoders.vocode(audio, neural, np.random.default_rng(1), frames_hz)
    assert made.shape == audio.shape
    before, after = (vocoder_lines(x.astype(np.float32), 100).mean(0) for x in (audio, made))
    if frames_hz in FRAME_RATES_HZ:
        place = FRAME_RATES_HZ.index(frames_hz)
        assert after.argmax() == place and after[place] > before[place] + 1


def test_a_vocoder_that_is_not_there_is_never_drawn(neural):
    rng = np.random.default_rng(0)
    drawn = {vocoders.draw_vocoder(rng, None) for _ in range(200)}
    assert neural not in drawn
    assert neural in {vocoders.draw_vocoder(rng, neural) for _ in range(50)}


def test_speech_changes_its_pace(speech):
    for rate in (0.85, 1.15):
        assert len(vocoders.time_stretch(speech, rate)) == round(len(speech) / rate)


@pytest.mark.parametrize("engine", [ESPEAK, PIPER, KOKORO, FLITE])
def test_a_voice_says_the_same_by_the_same_seed(engine):
    if not engine.requirement.is_installed():
        pytest.skip(f"{engine.requirement.name} is not installed")
    spoken = [
        speak_sentence(8000, engine, np.random.default_rng(seed), False)[0] for seed in (1, 1, 2)
    ]
    assert spoken[0].shape == (8000,) and spoken[0].std() > 1e-3
    np.testing.assert_array_equal(spoken[0], spoken[1])
    assert not np.array_equal(spoken[0], spoken[2])


def test_written_speech_is_where_it_was(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE_HZ).astype(np.float32)
    write_speech(tmp_path / "noise.m4a", noise)
    back = read_sound(tmp_path / "noise.m4a")
    shifts = range(-1200, 1201, 8)
    middle = noise[4000:9000]
    alike = [float(middle @ back[4000 + shift : 9000 + shift]) for shift in shifts]
    assert shifts[int(np.argmax(alike))] == 0


@pytest.mark.slow
def test_speech_is_forged_in_sound_alone_and_for_training(corpus):
    records = json.loads((corpus / "metadata.json").read_text())
    assert {record["split"] for record in records} == {"train"}
    assert not any(record["modify_video"] for record in records)
    kinds = [record["family_audio"] for record in records]
    assert kinds.count(None) == 2 and kinds.count("null") == kinds.count("recoded") == 1
    assert len(kinds) == 2 + 6 + 2
    authentic, forged = (read_sound(corpus / records[index]["file"]) for index in (0, 1))
    inside = np.zeros(len(authentic), bool)
    for start, end in records[1]["audio_periods"]:
        inside[round((start - 0.05) * RATE_HZ) : round((end + 0.05) * RATE_HZ)] = True
    change = np.abs(authentic - forged)
    assert change[inside].mean() > 5 * change[~inside].mean()


@pytest.mark.slow
def test_extracted_speech_is_heard_and_never_seen(corpus, tmp_path):
    extract.main(["--data", str(corpus), str(tmp_path)])
    samples = load_cache(tmp_path, "train")
    assert len(samples) == 10 and all(sample.audio_only for sample in samples)
    assert not any(sample.pristine for sample in samples)
    tensors = samples[0].tensors
    assert not tensors.seen.any() and len(tensors.seen) == 25 * SECONDS
    assert tensors.heard.any()  # where somebody speaks
    assert list(tensors.stream()) == [None] * len(tensors.seen)


@pytest.mark.slow
@pytest.mark.skipif(not fit_vocoder.HAS_PIPER_WEIGHTS, reason="Piper's voice is not installed")
def test_a_vocoder_is_fitted_and_resumes(corpus, tmp_path):
    words = ["--speech", str(corpus.parent / "in"), "--every", "1"]
    whole = [*words, "--out", str(tmp_path / "whole.safetensors"), "--steps", "2"]
    fit_vocoder.main(whole)
    made = vocoders.vocode(
        np.ones(4000), str(tmp_path / "whole.safetensors"), np.random.default_rng(0)
    )
    assert np.isfinite(made).all()
    assert not (tmp_path / "whole_state.pt").exists()
