"""`python -m train.aligned.pretrain CACHE RUN --minutes 8`: the aligned autoencoder, in a set time.

CACHE is what `train.aligned.pack` made. Pictures are decoded once into the memory of the device;
variation runs there too. On CUDA it is bfloat16 (`--no-bf16`). The learning rate follows the clock:
it rises, and falls to almost nothing when the minutes are over. `RUN/log.jsonl` holds the loss of
training windows as they were varied, and of fixed, unvaried windows of people that were trained on
and that were not (dev). `RUN/model.safetensors` (half precision) and `RUN/config.json` are written
regularly, beside them `best.safetensors`, of the lowest loss on dev, and `--state` (default
`RUN/state.pt`), with which the same command goes on where it was stopped; more `--minutes`, or
another `--batch` or `--lr`, and it goes on with these.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from deeploc.models.aligned_mae import (
    EYE_PLACES,
    MOUTH_PLACES,
    PATCH,
    AlignedConfig,
    AlignedMAE,
    AlignedPatches,
    Expected,
    face_energies,
    missed_faces,
    missed_sound,
    partitions,
    sound_energies,
    streams,
    surprises,
)
from train.aligned.store import (
    KIND_CHANCES,
    KINDS,
    Hidden,
    Starts,
    Store,
    draw_hidden,
    draw_hidden_speech,
    hidden_region,
    hide,
)
from train.aligned.variation import centred, plain_waves, varied_faces, varied_times, varied_waves

TINY = AlignedConfig(width=32, depth=1, heads=2, decoder_width=32, decoder_depth=1)
WARM_UP = 0.04  # of the time
LAST_RATE = 0.01  # of the learning rate
BAND_WEIGHTS = ((8.0, 1.0, 1.0), (1.0, 1.0, 1.0))  # picture, sound; by band, as `REBUILT`
SURPRISE_WEIGHT, SPEECH_SHARE = 0.4, 4


def loss_of(
    patches: AlignedPatches, expected: Expected, hidden: Hidden, sounding: Tensor, scales: Tensor
) -> Tensor:
    """`(4,)`: miss of picture and sound, surprise of picture and sound, over the asked patches.

    miss: residual energy in every band over `scales (2, 3)`, the energy of what differs from the
    mean window, weighed by `BAND_WEIGHTS`. surprise: how wrong the expected log energy and detail
    are (Huber); its gradient does not reach the residual. `sounding (B,) bool`: windows whose sound
    counts.
    """
    none = scales.new_zeros(())
    miss, surprise = [none, none], [none, none]
    scales = scales / torch.tensor(BAND_WEIGHTS, device=scales.device)
    if hidden.pictures.shape[1]:
        target, detail = _asked(patches.faces, patches.face_detail, hidden.pictures)
        residual = target.float() - expected.faces.float()
        miss[0] = (face_energies(residual) / scales[0]).mean()
        size = missed_faces(target, detail, expected.faces).detach()
        surprise[0] = functional.smooth_l1_loss(expected.face_energy.float(), size)
    if hidden.sounds.shape[1]:
        target, flatness = _asked(patches.sound, patches.sound_detail, hidden.sounds)
        share = sounding.float()[:, None, None, None] / sounding.float().mean().clamp(min=1e-3)
        energy = sound_energies(target.float() - expected.sound.float())
        miss[1] = (energy / scales[1] * share).mean()
        size = missed_sound(target, flatness, expected.sound).detach()
        wrong = functional.smooth_l1_loss(expected.sound_energy.float(), size, reduction="none")
        surprise[1] = (wrong * share).mean()
    return torch.stack([*miss, *surprise])


def _asked(values: Tensor, detail: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Of `values (B, L, ...)` and `detail (B, L, S)` what `places (B, Q)` name."""
    rows = torch.arange(len(places), device=places.device)[:, None]
    return values[rows, places], detail[rows, places]


class Pretraining:
    """One training: all that changes on the way, and so all there is to resume."""

    def __init__(self, args: argparse.Namespace) -> None:
        torch.manual_seed(args.seed)
        self.args, self.device = args, torch.device(args.device)
        cuda = self.device.type == "cuda"
        self.bf16 = cuda if args.bf16 is None else args.bf16
        self.piece = (
            2 if args.tiny else 64 if cuda else 8
        )  # windows at a time, where none is learnt
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        config = TINY if args.tiny else AlignedConfig()
        began = time.monotonic()
        self.train = Store(args.cache, "train", config.window, self.device)
        self.dev = Store(args.cache, "dev", config.window, self.device)
        self.say(
            f"decoded {len(self.train.faces)} + {len(self.dev.faces)} pictures in "
            f"{time.monotonic() - began:.1f} s"
        )
        self.mae = AlignedMAE(AlignedMAE.plain(config)).to(self.device)
        decayed = [p for p in self.mae.parameters() if p.ndim > 1]
        others = [p for p in self.mae.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": args.decay}, {"params": others}],
            args.lr,
            betas=(0.9, 0.95),
            weight_decay=0.0,
            fused=cuda,
        )
        self.batch = args.batch
        self.steps = self.windows = 0
        self.elapsed, self.best = 0.0, math.inf
        self.scales = torch.ones(2, 3, device=self.device)

    def say(self, text: str) -> None:
        print(text, flush=True)

    @torch.no_grad()
    def begin(self) -> None:
        """Take from the data what sound and losses are measured in, and from `--start` weights."""
        mae, talking, speech = self.mae, self.train.talking, self.train.speech
        samples = talking.samples[talking.draw(16 * self.piece)]
        if len(speech.samples):
            samples = torch.cat([samples, speech.samples[speech.draw(8 * self.piece)]])
        waves = [varied_waves(self.train.waves(part)) for part in samples.split(self.piece)]
        sound = torch.cat([torch.cat(mae.hearing(part), -1).flatten(0, 1) for part in waves])
        mae.sound_mean.copy_(sound.mean(0))
        mae.sound_std.copy_(sound.std(0).clamp(min=0.1))
        if self.args.start:
            mae.load_state_dict(load_file(self.args.start / "model.safetensors"))
        starts = talking.draw(4 * self.piece)
        parts = [self.patches(self.train, talking, part, True) for part in starts.split(self.piece)]
        faces = torch.cat([part.faces for part in parts]).float()
        spoken = torch.cat([part.sound for part in parts])
        self.scales[0] = face_energies(faces - faces.mean(0)).mean((0, 1, 2))
        self.scales[1] = sound_energies(spoken - spoken.mean(0)).mean((0, 1, 2))

    def patches(self, store: Store, starts: Starts, chosen: Tensor, varied: bool) -> AlignedPatches:
        frames, waves = starts.frames[chosen], store.waves(starts.samples[chosen])
        if varied:
            faces = varied_faces(store.pictures(frames, varied_times))
            return self.mae.targets(faces, varied_waves(waves))
        return self.mae.targets(centred(store.pictures(frames)), plain_waves(waves))

    def _loss(self, patches: AlignedPatches, hidden: Hidden, sounding: Tensor) -> Tensor:
        return loss_of(patches, self._expected(patches, hidden), hidden, sounding, self.scales)

    def _expected(self, patches: AlignedPatches, hidden: Hidden) -> Expected:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            encoded = self.mae.encode(self.mae.embed(patches), hidden.visible)
            return self.mae.decode(encoded, hidden.pictures, hidden.sounds)

    def step(self, progress: float, kind: str | None = None) -> Tensor:
        """`--views` steps of the optimizer on one batch, each with other patches hidden; `progress`
        0..1 through the time; the mean `(4,)` as `loss_of`. `kind`: what is hidden, see
        `draw_hidden`; at random by default."""
        rate = self.args.lr * rate_at(progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        kind = kind or KINDS[int(torch.multinomial(torch.tensor(KIND_CHANCES), 1))]
        talking = self.train.talking
        chosen = talking.draw(self.batch, quiet=kind in ("picture", "sound"))
        with torch.no_grad():
            patches = self.patches(self.train, talking, chosen, True)
        self.windows += self.batch
        sounding = talking.sounding[chosen]
        views = [self._learn(patches, kind, sounding) for _ in range(self.args.views)]
        return torch.stack(views).mean(0)

    def _learn(self, patches: AlignedPatches, kind: str, sounding: Tensor) -> Tensor:
        """One step of the optimizer."""
        hidden = draw_hidden(self.mae.config, kind, self.batch, self.device)
        losses, speech = self._loss(patches, hidden, sounding), self.train.speech
        if len(speech.samples):
            losses = losses + self._speech_loss(speech) / 2
        loss = losses[:2].sum() + SURPRISE_WEIGHT * losses[2:].sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.mae.parameters(), 1.0)
        if bool(norm.isfinite()):
            self.optimizer.step()
        self.steps += 1
        return losses.detach()

    def _speech_loss(self, speech: Starts) -> Tensor:
        count = max(1, self.batch // SPEECH_SHARE)
        samples = speech.samples[speech.draw(count)]
        with torch.no_grad():
            sound, flatness = self.mae.hear(varied_waves(self.train.waves(samples)))
            config = self.mae.config
            blank = sound.new_zeros(1, 1, 1, 1, 1, 1).expand(
                count, config.visual_patches, config.tubelet, 3, PATCH, PATCH
            )
            patches = AlignedPatches(blank, sound, blank[..., 0, 0, 0], flatness)
        hidden = draw_hidden_speech(self.mae.config, count, self.device)
        sounding = torch.ones(count, dtype=torch.bool, device=self.device)
        return self._loss(patches, hidden, sounding)

    @torch.no_grad()
    def validate(self, store: Store, per_person: int) -> dict[str, float]:
        """Losses of fixed, unvaried windows, each patch hidden once by `partitions` and once with
        its whole stream, and how well hidden mouths and eyes are rebuilt (PSNR, dB)."""
        mae, config = self.mae.eval(), self.mae.config
        chosen = store.talking.spread(per_person)
        every = [*partitions(config), *streams(config)]
        regions = {"mouth": MOUTH_PLACES, "eyes": EYE_PLACES}
        total = torch.zeros(len(every), 4, device=self.device)
        errors: dict[str, list[Tensor]] = {name: [] for name in regions}
        for part in chosen.split(self.piece):
            patches = self.patches(store, store.talking, part, False)
            sounding = store.talking.sounding[part]
            for index, hidden in enumerate(every):
                asked = hide(config, hidden.to(self.device), len(part))
                total[index] += self._loss(patches, asked, sounding) * len(part) / len(chosen)
            for name, places in regions.items():
                hidden = hidden_region(config, places).to(self.device)
                asked = hide(config, hidden, len(part))
                expected = self._expected(patches, asked)
                target, _ = _asked(patches.faces, patches.face_detail, asked.pictures)
                miss = (target.float() - expected.faces.float().clamp(-2, 2)) / 4
                errors[name].append(miss.square().flatten(1).mean(1))
        mae.train()
        hidden, cross = total[:2].mean(0), total[2:].sum(0)
        result = {
            "miss picture": hidden[0],
            "miss sound": hidden[1],
            "surprise picture": hidden[2],
            "surprise sound": hidden[3],
            "picture from sound": cross[0],
            "sound from picture": cross[1],
        } | {f"psnr {name}": (-10 * torch.cat(e).log10()).mean() for name, e in errors.items()}
        return {name: round(float(value), 4) for name, value in result.items()}

    def speed(self, kinds: Sequence[str]) -> float:
        """Windows a second over steps of these kinds that change nothing, after two to warm up."""
        kept, self.args.lr = self.args.lr, 0.0
        done = self.steps, self.windows
        for kind in kinds[:2]:
            self.step(0.5, kind)
        self.wait()
        began = time.monotonic()
        for kind in kinds:
            self.step(0.5, kind)
        self.wait()
        self.args.lr, (self.steps, self.windows) = kept, done
        return len(kinds) * self.batch / (time.monotonic() - began)

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def save_weights(self, name: str) -> None:
        """`RUN/name`, in half precision."""
        self.args.run.mkdir(parents=True, exist_ok=True)
        weights = {
            key: value.half().contiguous().cpu() for key, value in self.mae.state_dict().items()
        }
        part = self.args.run / f"{name}.part"
        save_file(weights, part)
        part.rename(self.args.run / name)

    def save(self) -> None:
        """Weights and sizes, and the state to go on from."""
        run = self.args.run
        self.save_weights("model.safetensors")
        config = {"config": asdict(self.mae.config)}
        (run / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        state = {
            "mae": self.mae.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scales": self.scales,
            "done": (self.steps, self.windows, self.elapsed, self.best),
        }
        part = self.args.state.with_suffix(".part")
        torch.save(state, part)
        part.rename(self.args.state)

    def resume(self) -> None:
        state = torch.load(self.args.state, map_location=self.device, weights_only=True)
        self.mae.load_state_dict(state["mae"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scales = state["scales"]
        self.steps, self.windows, self.elapsed, self.best = state["done"]
        torch.manual_seed(self.args.seed + self.steps)

    def log(self, record: Mapping[str, object]) -> None:
        self.args.run.mkdir(parents=True, exist_ok=True)
        with (self.args.run / "log.jsonl").open("a") as file:
            file.write(json.dumps(record) + "\n")
        self.say(" ".join(f"{name} {value}" for name, value in record.items()))


def rate_at(progress: float) -> float:
    """Share of the learning rate: up, then down along a cosine."""
    if progress < WARM_UP:
        return max(progress, 1e-3) / WARM_UP
    share = min(1.0, (progress - WARM_UP) / (1 - WARM_UP))
    return LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * share)) / 2


def pretrain(args: argparse.Namespace) -> None:
    run = Pretraining(args)
    budget_s = 60 * args.minutes
    if args.state.exists():
        run.resume()
        run.say(f"goes on after {run.elapsed:.0f} s")
    else:
        run.begin()
    before, began = run.elapsed, time.monotonic()
    noted = saved = checked = run.elapsed
    learnt: list[Tensor] = []
    window_count = run.windows
    while run.elapsed < budget_s:
        learnt.append(run.step(run.elapsed / budget_s))
        if len(learnt) % 8 == 0 or run.device.type == "cpu":
            run.wait()
        run.elapsed = before + time.monotonic() - began
        last = run.elapsed >= budget_s
        if run.elapsed - noted >= args.every_s or last:
            mean = torch.stack(learnt).mean(0).tolist()
            speed = (run.windows - window_count) / (run.elapsed - noted)
            names = ("miss picture", "miss sound", "surprise picture", "surprise sound")
            run.log(
                {"of": "training", "s": round(run.elapsed, 1), "steps": run.steps}
                | {"windows": run.windows, "windows a second": round(speed)}
                | {name: round(value, 4) for name, value in zip(names, mean, strict=True)}
            )
            learnt, noted, window_count = [], run.elapsed, run.windows
        if run.elapsed - checked >= 4 * args.every_s or last:
            for split, store in (("dev", run.dev), ("train", run.train)):
                losses = run.validate(store, args.per_person)
                run.log({"of": split, "s": round(run.elapsed, 1), "windows": run.windows} | losses)
                if split == "dev" and losses["miss picture"] + losses["miss sound"] < run.best:
                    run.best = losses["miss picture"] + losses["miss sound"]
                    run.save_weights("best.safetensors")
            checked = run.elapsed
        if run.elapsed - saved >= 8 * args.every_s or last:
            run.save()
            saved = run.elapsed
    if args.speeds:
        report_speeds(run)


def report_speeds(run: Pretraining) -> None:
    """Training in bfloat16 and not, variation alone, and what the evidence of a clip costs."""
    chosen = run.train.talking.draw(run.batch)
    for bf16 in (True, False):
        run.bf16 = bf16
        speed = round(run.speed(["half", "most"] * 4))
        run.log({"of": "speed", "what": f"training, bf16 {bf16}", "windows a second": speed})
    began = time.monotonic()
    for _ in range(4):
        patches = run.patches(run.train, run.train.talking, chosen, True)
    run.wait()
    speed = round(4 * run.batch / (time.monotonic() - began))
    run.log({"of": "speed", "what": "variation and cutting alone", "windows a second": speed})
    every = torch.cat([partitions(run.mae.config), streams(run.mae.config)])
    every = every.to(run.device)
    patches = run.patches(run.dev, run.dev.talking, run.dev.talking.draw(run.piece), False)
    for bf16 in (True, False):
        for turn in range(9):
            if turn == 1:
                run.wait()
                began = time.monotonic()
            with (
                torch.inference_mode(),
                torch.autocast(run.device.type, torch.bfloat16, enabled=bf16),
            ):
                surprises(run.mae, patches, every[:2])
                surprises(run.mae, patches, every[2:])
        run.wait()
        speed = round(8 * run.piece / (time.monotonic() - began))
        record = {"of": "speed", "what": f"evidence, bf16 {bf16}", "windows a second": speed}
        run.log(record | {"seconds of clip a second": round(speed * 16 / 25)})


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.aligned.pretrain", description=__doc__)
    parser.add_argument("cache", type=Path, help="folder made by train.aligned.pack")
    parser.add_argument("run", type=Path, help="folder for the result")
    parser.add_argument("--minutes", type=float, default=8.0, help="of training, all runs together")
    parser.add_argument("--batch", type=int, default=256, help="windows a step")
    parser.add_argument("--views", type=int, default=1, help="ways in which a window is hidden")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--decay", type=float, default=0.1)
    parser.add_argument(
        "--every-s", type=float, default=8.0, help="seconds between notes in the log"
    )
    parser.add_argument(
        "--per-person", type=int, default=8, help="windows each, where it is tested"
    )
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, help="default: on CUDA")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--state", type=Path, help="what to resume from (default: RUN/state.pt)")
    parser.add_argument(
        "--start", type=Path, help="folder with weights to begin from, of this size"
    )
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes, for tests")
    parser.add_argument("--speeds", action="store_true", help="afterwards, measure how fast it is")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    args.state = args.state or args.run / "state.pt"
    return args


def main(arguments: list[str] | None = None) -> None:
    pretrain(parse(arguments))


if __name__ == "__main__":
    main()
