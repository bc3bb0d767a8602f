"""The ablation: what each part of the method is worth.

Trains every row of `ablation_rows` on the evidence of `RUN/mae` with several seeds, and evaluates
them on one split of a cache (`--test-cache`: another one, real generators for instance) with the
same post-processing and metrics. Clips under everyday changes are in a table of their own: how many
honest and forged clips each row flags at its own level, set as `calibrate` does. Beside them stands
what each value of the evidence tells without a network (`evidence_auc`). Writes `ablation.json`,
`ablation.md` and plots. A row is the given configuration with some fields replaced. Nothing is
chosen: no row, epoch or weight depends on a number of this table. Trained networks stay in
`RUN/ablation`, so that a second start goes on where the first ended.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro
from safetensors.torch import load_file, save_file

from deeploc.checkpoints import load_checkpoint
from deeploc.errors import DeepLocError
from deeploc.evidence import Evidence, error_scores, forgery_scores
from deeploc.metrics import resample
from deeploc.models.fdn import FDN
from deeploc.models.rt_deeploc import RTDeepLoc
from train.calibrate import clip_scores, some_level
from train.config import CachePath, DiscoverConfig, Labels, RunPath, flags, plain
from train.data.cache import load_cache
from train.data.clip_batches import ClipDataset
from train.data.evidence_store import EvidenceByFile, EvidenceStore, measure_clips, set_statistics
from train.discover import data_digest, fdn_config, train_fdn
from train.evaluate.bootstrap import SeededRow, summarise_flagged, summarise_rows
from train.evaluate.everyday import clip_groups
from train.evaluate.evidence_auc import evidence_aucs
from train.evaluate.methods import CHANCE, ERROR, Method, chance
from train.evaluate.plots import write_ablation_plots
from train.evaluate.protocol import SEED, Split, describe_protocol, draw_clips
from train.evaluate.tables import ablation_markdown
from train.everyday.kinds import without_held_out

RESULT, TABLES = "ablation.json", "ablation.md"
LABELS: tuple[Labels, ...] = ("clip", "streams", "frames")
WEAK: tuple[Labels, ...] = ("clip", "streams")
FIRST = "+ MTLR: the first stage"
FULL = "+ second stage: the full method"
UNTRAINED = "untrained"
REFERENCE = ("clip", FULL)


@dataclass(frozen=True)
class AblationRow:
    """One way of training: its name, its configuration, and the labels it is trained with."""

    name: str
    config: DiscoverConfig
    labels: tuple[Labels, ...] = ("clip",)


def ablation_rows(base: DiscoverConfig) -> tuple[AblationRow, ...]:
    """All rows, each as `base` with some fields replaced; terms are added from MIL alone on."""
    first = replace(base, pseudo=0.0)
    contrast = replace(first, mtlr=0.0)
    guided = replace(contrast, aicl=0.0)
    mil = replace(guided, guide=0.0)
    mdp = replace(guided, mil=0.0, streams=0.0, p2s=1.0, deviation=0.2)
    return (
        AblationRow("MIL alone", mil, LABELS),
        AblationRow("+ error as input", replace(mil, inputs="all")),
        AblationRow("+ error as guide", guided, LABELS),
        AblationRow("+ AICL", contrast, WEAK),
        AblationRow(FIRST, first, WEAK),
        AblationRow(FULL, base, LABELS),
        AblationRow("no everyday changes", replace(base, everyday=False)),
        AblationRow("nothing around the face", replace(base, surroundings=False)),
        AblationRow("first stage, no guide", replace(first, guide=0.0)),
        AblationRow("first stage, error as input too", replace(first, inputs="all")),
        AblationRow("first stage, symmetric contrast", replace(first, symmetric=True)),
        AblationRow("first stage + minority", replace(first, minority=1.0)),
        AblationRow("MDP's scheme", mdp),
        AblationRow("MIL, one head", replace(mil, streams=0.0)),
        AblationRow("CoLA's contrast", replace(mil, cola=0.01)),
    )


@dataclass(frozen=True)
class Bench:
    """What all rows share: the frozen autoencoder with its statistics, the clips to learn from with
    their evidence, and the folder that keeps trained networks. `data`: a digest of the clips."""

    model: RTDeepLoc
    clips: ClipDataset
    held_out: ClipDataset
    folder: Path
    data: str

    def level(self) -> float:
        """The score at which the present network flags a clip, by the validation clips."""
        return some_level(self.model, self.held_out.samples, self.held_out.evidence)

    def trained(self, config: DiscoverConfig) -> RTDeepLoc:
        """The model with the discovery network of `config`: kept from before, or trained now."""
        settings = f"{self.data} {sorted(plain(config).items())}"
        path = self.folder / f"{hashlib.sha256(settings.encode()).hexdigest()[:16]}.safetensors"
        if not path.exists():
            train_fdn(self.model, self.clips, self.held_out, config)
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".part")
            save_file(self.model.fdn.state_dict(), partial)
            partial.rename(path)
        self.model.fdn = FDN(fdn_config(self.model, config)).eval()
        self.model.fdn.load_state_dict(load_file(path))
        return self.model


def prepare_bench(cache: Path, run: Path, evidence: Path, workers: int) -> Bench:
    """Measure the evidence that is missing, and take its statistics."""
    model, info = load_checkpoint(run / "mae")
    splits = {name: without_held_out(load_cache(cache, name)) for name in ("train", "dev")}
    raw = {
        name: measure_clips(run / "mae", split, evidence, workers) for name, split in splits.items()
    }
    set_statistics(model, raw["train"].pristine(splits["train"]))
    clips, held_out = (
        ClipDataset(splits[name], raw[name].standardised(model)) for name in ("train", "dev")
    )
    data = data_digest(info.sha256, [*splits["train"], *splits["dev"]])
    return Bench(model, clips, held_out, run / "ablation", data)


def evaluated_rows(
    bench: Bench,
    evidence: Mapping[str, Evidence],
    rows: list[tuple[Labels, AblationRow]],
    base: DiscoverConfig,
    seeds: int,
    everyone: Sequence[Evidence] = (),
) -> Iterator[SeededRow]:
    """Every row with the scores of each of its seeds, the untrained ones first; and which clips it
    flags, by the evidence of `everyone`."""
    error = {file: error_scores(item) for file, item in evidence.items()}
    yield SeededRow(UNTRAINED, ERROR, "", [Method(error)])
    yield SeededRow(UNTRAINED, CHANCE, "", [Method(chance(error))])
    for labels, row in rows:
        config = replace(row.config, labels=labels)
        methods, flagged = [], []
        for seed in range(seeds):
            print(f"{labels}, {row.name}, seed {seed}", flush=True)
            model = bench.trained(replace(config, seed=seed))
            scores = {file: forgery_scores(model, item) for file, item in evidence.items()}
            methods.append(Method(scores))
            if everyone:
                found = np.array([clip_scores(model, item)["fused"] for item in everyone])
                above = (found >= bench.level()).astype(float)
                flagged.append(np.where(np.isnan(found), np.nan, above))
        changed = flags(config, replace(base, labels=labels))
        yield SeededRow(labels, row.name, f"--labels {labels} {changed}".strip(), methods, flagged)


def asked_rows(
    base: DiscoverConfig, labels: tuple[Labels, ...], names: tuple[str, ...]
) -> list[tuple[Labels, AblationRow]]:
    """The rows of these labels and names, in the order of the table; the reference is always there.

    Raises `DeepLocError` for a name that no row has.
    """
    rows = ablation_rows(base)
    unknown = set(names) - {row.name for row in rows}
    if unknown:
        raise DeepLocError(
            f"No row is called {min(unknown)}. Rows: {'; '.join(r.name for r in rows)}"
        )
    asked = {(kind, name) for kind in labels for name in names or [row.name for row in rows]}
    return [
        (kind, row)
        for kind in LABELS
        for row in rows
        if kind in row.labels and (kind, row.name) in asked | {REFERENCE}
    ]


def ablate(
    cache: CachePath,
    run: RunPath,
    config: tyro.conf.OmitArgPrefixes[DiscoverConfig] = DiscoverConfig(),
    split: Split = "test",
    seeds: int = 3,
    settings: tuple[Labels, ...] = LABELS,
    rows: tuple[str, ...] = (),
    test_cache: Path | None = None,
    evidence: Path | None = None,
    test_evidence: Path | None = None,
    honest: Path | None = None,
    resamples: int = 1000,
    workers: int = 1,
    out: Path | None = None,
) -> None:
    """Train and evaluate the rows of the ablation, with `RUN/mae` on the clips of a cache.

    Args:
        config: what all rows share; labels and seed are set by each row
        split: the split that is evaluated
        seeds: how often each row is trained
        settings: labels that rows are trained with
        rows: names of rows (default: all)
        test_cache: evaluate clips of another cache
        evidence: folder of measured clips (default: RUN/evidence)
        test_evidence: the same of TEST_CACHE (default: its folder evidence)
        honest: another cache, whose honest clips of that split are counted by everyday change
            instead of those of the evaluated one
        resamples: bootstrap draws
        workers: processes that measure evidence
        out: folder of the results (default: RUN/ablation and the name of the cache)
    """
    chosen = asked_rows(config, settings, rows)
    own_evidence = evidence or run / "evidence"
    bench = prepare_bench(cache, run, own_evidence, workers)
    evaluated = test_cache or cache
    everyone = load_cache(evaluated, split)
    folder = test_evidence or (evaluated / "evidence" if test_cache else own_evidence)
    raw = measure_clips(run / "mae", everyone, folder, workers)
    kept = [n for n, clip in enumerate(everyone) if not clip.annotation.change]
    samples, store = [everyone[n] for n in kept], EvidenceStore([raw.paths[n] for n in kept])
    by_file = EvidenceByFile.of(samples, store.standardised(bench.model))
    drawn, draws = draw_clips(samples, resamples)
    if honest:
        more = [clip for clip in load_cache(honest, split) if clip.honest_group]
        measured = measure_clips(run / "mae", more, honest / "evidence", workers)
        everyone = [*(clip for clip in samples if clip.annotation.forged), *more]
        forged = [store.paths[n] for n, clip in enumerate(samples) if clip.annotation.forged]
        raw = EvidenceStore([*forged, *measured.paths])
    seeded = list(
        evaluated_rows(bench, by_file, chosen, config, seeds, raw.standardised(bench.model))
    )
    result = {
        "protocol": {
            **describe_protocol(samples, f"{drawn} and seeds", resamples),
            "split": split,
            "cache": evaluated.name,
            "training cache": cache.name,
            "training clips": len(bench.clips),
            "training": flags(config, DiscoverConfig()),
            "reference": list(REFERENCE),
        },
        "rows": summarise_rows(samples, seeded, draws, REFERENCE),
        "flagged": summarise_flagged(
            clip_groups(everyone),
            seeded,
            resample([clip.person for clip in everyone], resamples, SEED),
            REFERENCE,
        ),
        "flagged clips": {
            name: int(members.sum()) for name, members in clip_groups(everyone).items()
        },
        "values": evidence_aucs(samples, by_file),
    }
    plain_result = json.loads(json.dumps(result), parse_constant=lambda nan: None)
    folder = out or run / "ablation" / evaluated.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).write_text(json.dumps(plain_result, indent=1) + "\n")
    (folder / TABLES).write_text(ablation_markdown(plain_result))
    print(ablation_markdown(plain_result))
    for line in write_ablation_plots(plain_result, folder):
        print(line)


def main(arguments: list[str] | None = None) -> None:
    tyro.cli(ablate, args=arguments, prog="python -m train ablate", description=__doc__)
