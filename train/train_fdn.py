"""`python -m train.train_fdn CACHE RUN`: the forgery discovery network, from clip-level labels.

Reads `RUN/mae`, measures every clip once, trains on the train split, calibrates on the authentic
clips of the validation split and writes `RUN/model`. Nothing else is taken from validation clips:
their losses are only logged.
Three settings: `--labels clip` knows one bit a clip, `streams` (as LAV-DF's metadata) one bit a
stream, and `frames` also which steps are forged. The last is weak supervision no more, but on a
corpus that `train.forge` made nobody annotated anything: the forge knows where it forged (the
self-forged setting).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from deeploc.checkpoints import load_checkpoint
from deeploc.models.fdn import FDN
from deeploc.models.rt_deeploc import RTDeepLoc
from train.calibrate import calibrate
from train.data import load_cache
from train.discovery import Clips, Teacher, add_loss_arguments, fdn_loss, gather
from train.evidence import measure_samples, set_statistics, standardised


def learn(model: RTDeepLoc, clips: Clips, held_out: Clips, args: argparse.Namespace) -> list[dict]:
    """Replace the model's FDN by a new one and train it; returns the validation losses.

    With `--pseudo` that is the first stage: its scores then teach another new one.
    """
    torch.manual_seed(args.seed)
    config = replace(model.fdn.config, inputs=args.inputs)
    model.requires_grad_(False)
    model.fdn = FDN(config)
    log = train(model, clips, held_out, args)
    if args.pseudo:
        batches = (clips[part] for part in torch.arange(len(clips.labels)).split(args.batch))
        teacher = Teacher.of(model.fdn, batches, args.labels)
        model.fdn = FDN(config)
        log += train(model, clips, held_out, args, teacher)
    return log


def train(
    model: RTDeepLoc,
    clips: Clips,
    held_out: Clips,
    args: argparse.Namespace,
    teacher: Teacher | None = None,
) -> list[dict]:
    """Train the FDN in place for all epochs; returns the validation losses, one record an epoch.

    No epoch is chosen: the clip-level loss is lowest long before the steps are told apart.
    """
    parameters = model.fdn.parameters()
    optimizer = torch.optim.AdamW(parameters, args.lr, weight_decay=args.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)
    log = []
    for epoch in tqdm(range(args.epochs), unit="epoch"):
        model.fdn.train()
        for batch in torch.randperm(len(clips.labels)).split(args.batch):
            loss = torch.stack(list(fdn_loss(model, clips[batch], args, teacher).values())).sum()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.fdn.parameters(), 1.0)
            optimizer.step()
        schedule.step()
        model.fdn.eval()
        with torch.inference_mode():
            terms = fdn_loss(model, held_out, args, teacher)
        log.append({"epoch": epoch, **{name: float(value) for name, value in terms.items()}})
    if not np.isfinite(sum(log[-1].values())):
        raise RuntimeError("training diverged: the last validation loss is not finite")
    return log


def main(arguments: list[str] | None = None) -> None:
    args = parse(arguments)
    base = args.run / "mae"
    model, _ = load_checkpoint(base)
    splits = {name: load_cache(args.cache, name) for name in ("train", "dev")}
    raw = {
        name: measure_samples(base, samples, args.run / "evidence", args.workers)
        for name, samples in splits.items()
    }
    authentic = {
        name: [
            item for sample, item in zip(splits[name], raw[name], strict=True) if sample.untouched
        ]
        for name in raw
    }
    set_statistics(model, authentic["train"])
    ready = {
        name: gather(splits[name], [standardised(model, item) for item in raw[name]])
        for name in raw
    }
    log = learn(model, ready["train"], ready["dev"], args)
    model = model.half().float()  # calibrate what is saved
    scale = calibrate(model, [standardised(model, item) for item in authentic["dev"]])
    out = args.run / args.out
    model.calibrated(scale, args.name).half().save_pretrained(out)
    (out / "training.json").write_text(
        json.dumps({"arguments": {k: str(v) for k, v in vars(args).items()}, "epochs": log})
    )


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.train_fdn", description=__doc__)
    parser.add_argument("cache", type=Path, help="folder made by train.extract")
    parser.add_argument("run", type=Path, help="folder that holds mae/; the result goes there")
    parser.add_argument("--out", default="model", help="name of the result in RUN")
    parser.add_argument("--name", default="deeploc", help="name stored in the checkpoint")
    add_loss_arguments(parser)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=32, help="clips a step")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--weight-decay", type=float, default=0.02)
    parser.add_argument("--workers", type=int, default=1, help="processes that measure")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    if not args.mil and not args.p2s and args.labels == "clip":
        parser.error("nothing would be learnt from clip labels: give --mil or --p2s a weight")
    return args


if __name__ == "__main__":
    main()
