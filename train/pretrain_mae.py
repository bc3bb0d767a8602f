"""`python -m train.pretrain_mae CACHE RUN`: the masked autoencoder, on authentic clips only.

Whether a clip is authentic is decided by its clip label and nothing else. Writes `RUN/mae` (a
DeepLoc checkpoint whose discovery network is untrained) whenever the loss on authentic validation
windows improves, and `RUN/mae_state.pt` to resume from.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from deeploc.losses import reconstruction_loss
from deeploc.models.mae import MAE, MAEConfig, face_energies, random_hidden, sound_energies
from deeploc.models.rt_deeploc import TINY, RTDeepLoc
from train.data import AuthenticWindows, Sample, load_cache

WARM_UP = 200
SURPRISE_WEIGHT = 1.0


def set_sound_statistics(mae: MAE, samples: list[Sample]) -> None:
    """Mean and spread of every mel bin and band over authentic clips, into the MAE's buffers."""
    clips = [sample.tensors.mel for sample in samples if sample.untouched]
    mel = torch.from_numpy(np.concatenate(clips))
    mae.mel_mean.copy_(mel.mean(0))
    mae.mel_std.copy_(mel.std(0).clamp(min=0.1))


def typical_energies(mae: MAE, faces: Tensor, mel: Tensor) -> Tensor:
    """`(2, 3)`: mean energy of the targets by stream and band; the unit of the loss."""
    patches = mae.targets(faces, mel)
    energies = (face_energies(patches.faces), sound_energies(patches.sound))
    return torch.stack([energy.mean((0, 1, 2)) for energy in energies])


def batch_loss(mae: MAE, faces: Tensor, mel: Tensor, hidden: Tensor, scales: Tensor, bf16: bool):
    """(miss, surprise) of one batch; see `deeploc.losses.reconstruction_loss`."""
    with torch.autocast(faces.device.type, torch.bfloat16, enabled=bf16):
        patches = mae.targets(faces, mel)
        expected = mae(patches, hidden)
    return reconstruction_loss(expected, patches, hidden, scales)


@torch.inference_mode()
def validate(mae: MAE, batches: list[tuple[Tensor, Tensor, Tensor]], scales: Tensor, bf16: bool):
    """Mean (miss, surprise) over fixed batches (faces, mel, hidden)."""
    losses = [batch_loss(mae, *batch, scales, bf16) for batch in batches]
    return [float(torch.stack(part).mean()) for part in zip(*losses, strict=True)]


def main(arguments: list[str] | None = None) -> None:
    args = _parse(arguments)
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config = TINY if args.tiny else MAEConfig()
    model = RTDeepLoc(mae=asdict(config), name=args.name).to(device)
    mae, length = model.mae, config.window
    train, dev = load_cache(args.cache, "train"), load_cache(args.cache, "dev")
    set_sound_statistics(mae, train)
    optimizer = torch.optim.AdamW(mae.parameters(), args.lr, betas=(0.9, 0.95), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.lr, total_steps=args.steps + 1, pct_start=min(0.3, WARM_UP / args.steps)
    )
    generator = torch.Generator().manual_seed(args.seed)
    fixed = DataLoader(AuthenticWindows(dev, length, seed=1), batch_size=args.batch)
    held_out = [
        (faces.to(device), mel.to(device), random_hidden(config, len(faces), generator).to(device))
        for faces, mel in islice(fixed, args.validation_batches)
    ]
    scales = typical_energies(mae, *held_out[0][:2])
    args.run.mkdir(parents=True, exist_ok=True)
    state_path, log_path = args.run / "mae_state.pt", args.run / "mae_log.jsonl"
    done, best = 0, float("inf")
    recipe = {key: getattr(args, key) for key in ("steps", "batch", "lr", "seed", "tiny")}
    if state_path.exists():
        state = torch.load(state_path, map_location=device, weights_only=True)
        if state["recipe"] != recipe:
            raise SystemExit(
                f"{args.run} was begun with other settings: {state['recipe']}. "
                "Repeat them to resume, or choose another folder."
            )
        mae.load_state_dict(state["mae"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        done, best, scales = state["done"], state["best"], state["scales"]
    windows = AuthenticWindows(train, length, seed=args.seed + done)
    batches = iter(DataLoader(windows, batch_size=args.batch))
    bar = tqdm(total=args.steps, initial=done, unit="step")
    while done < args.steps:
        faces, mel = next(batches)
        hidden = random_hidden(config, len(faces), generator)
        miss, surprise = batch_loss(
            mae, faces.to(device), mel.to(device), hidden.to(device), scales, args.bf16
        )
        optimizer.zero_grad()
        (miss + SURPRISE_WEIGHT * surprise).backward()
        torch.nn.utils.clip_grad_norm_(mae.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        done += 1
        bar.update()
        if done % args.every == 0 or done == args.steps:
            losses = validate(mae, held_out, scales, args.bf16)
            bar.set_postfix(miss=f"{losses[0]:.3f}", surprise=f"{losses[1]:.3f}")
            with log_path.open("a") as log:
                log.write(json.dumps({"step": done, "miss": losses[0], "surprise": losses[1]}))
                log.write("\n")
            if sum(losses) < best:
                best = sum(losses)
                model.save_pretrained(args.run / "mae")
            state = {
                "mae": mae.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "done": done,
                "best": best,
                "scales": scales,
                "recipe": recipe,
            }
            torch.save(state, state_path.with_suffix(".part"))
            state_path.with_suffix(".part").rename(state_path)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.pretrain_mae", description=__doc__)
    parser.add_argument("cache", type=Path, help="folder made by train.extract")
    parser.add_argument("run", type=Path, help="folder for the result")
    parser.add_argument("--name", default="deeploc", help="name stored in the checkpoint")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=16, help="windows a step")
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--every", type=int, default=100, help="steps between validations")
    parser.add_argument("--validation-batches", type=int, default=8)
    parser.add_argument("--bf16", action="store_true", help="bfloat16 autocast")
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes, for tests")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
