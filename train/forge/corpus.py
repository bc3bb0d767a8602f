"""A corpus of partial forgeries, in the layout of LAV-DF, made from authentic talking clips.

    python -m train forge --authentic CLIPS --out CORPUS

`--speech` adds speech that has no picture, for the train split alone: many more voices than faces.
`--splice` makes another corpus, for validation and testing only: stretches of real generators'
output, as the manifest lists it, cut into the authentic clips. Whoever is in it is left out of
every training split.

Authentic and forged clips leave through the same chain: 25 Hz and 16 kHz, at most 360 pixels high,
one loudness and one quality for all clips of a source. What is forged, and how, is in
`metadata.json`, the settings in `forge_config.json`. Interrupted, it resumes; a corpus never mixes
settings, families or sources.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import tyro
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from deeploc import __version__
from deeploc.errors import DeepLocError
from deeploc.media.clip import file_sha256
from train.config import keep_config
from train.data.cache import METADATA
from train.data.splits import SPLITS, split_identities
from train.forge.config import ForgeConfig, forging_families
from train.forge.manifest import generated_identities, read_manifest, spliced_sources
from train.forge.plan import Plan, SourceClip
from train.forge.sources import MIN_SOURCE_S, SourceFolders, list_sources
from train.forge.splice import splice_source
from train.forge.variants import forge_source

CONFIG = "forge_config.json"
JOURNAL = "sources.jsonl"


def build(plan: Plan, workers: int) -> list[dict[str, Any]]:
    """Forge what is not there yet, write `metadata.json`, and return all records in order.

    Exits with a sentence where the folder holds a corpus of other settings, sources or families.
    """
    out = Path(plan.out)
    keep_config(
        out / CONFIG,
        plan.config,
        out / JOURNAL,
        _origin(plan),
        "other clips, another vocoder or another version of DeepLoc",
    )
    for split in SPLITS:
        (out / split).mkdir(parents=True, exist_ok=True)
    done = _finished(out)
    left = [source for source in plan.sources if source.number not in done]
    with (out / JOURNAL).open("a") as journal:
        for source, records in tqdm(_forge(plan, left, workers), total=len(left), unit="source"):
            done[source.number] = records
            journal.write(json.dumps({"source": source.number, "records": records}) + "\n")
            journal.flush()
    records = [record for number in sorted(done) for record in done[number]]
    (out / METADATA).write_text(json.dumps(records, indent=1))
    return records


def _origin(plan: Plan) -> str:
    """A digest of what a corpus is made from, wherever it lies, and of what it is made by."""
    sources = [
        (Path(source.path).name, source.identity, source.split, source.start, source.stop)
        for source in plan.sources
    ]
    vocoder = plan.vocoder and file_sha256(Path(plan.vocoder))
    made_from = json.dumps([__version__, vocoder, sources])
    return hashlib.sha256(made_from.encode()).hexdigest()[:16]


def _forge(
    plan: Plan, sources: list[SourceClip], workers: int
) -> Iterator[tuple[SourceClip, list[dict[str, Any]]]]:
    """Sources and their records as they are finished; a bad source is reported and has none."""
    if workers < 2:
        for source in sources:
            yield source, _attempt(plan, source)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _use_one_thread) as pool:
        tasks = {pool.submit(_attempt, plan, source): source for source in sources}
        for task in as_completed(tasks):
            yield tasks[task], task.result()


def _use_one_thread() -> None:
    """Of a worker: one thread for BLAS and OpenMP, for there are as many workers as are wanted."""
    threadpool_limits(1)


def _attempt(plan: Plan, source: SourceClip) -> list[dict[str, Any]]:
    try:
        return splice_source(plan, source) if source.generated else forge_source(plan, source)
    except (DeepLocError, ValueError, OSError) as error:
        tqdm.write(f"skipped {Path(source.path).name} ({source.identity}): {error}")
        return []


def _finished(out: Path) -> dict[int, list[dict[str, Any]]]:
    """By number the records of sources that an earlier run forged, and whose files are there."""
    if not (out / JOURNAL).exists():
        return {}
    entries = [json.loads(line) for line in (out / JOURNAL).read_text().splitlines()]
    return {
        entry["source"]: entry["records"]
        for entry in entries
        if entry["records"] and all((out / row["file"]).exists() for row in entry["records"])
    }


def forge(
    out: Annotated[Path, tyro.conf.arg(help="folder of the corpus")],
    folders: tyro.conf.OmitArgPrefixes[SourceFolders] = SourceFolders(),
    config: tyro.conf.OmitArgPrefixes[ForgeConfig] = ForgeConfig(),
    vocoder: Annotated[
        Path | None, tyro.conf.arg(help="a neural vocoder of `train vocoder`, for copy-synthesis")
    ] = None,
    workers: Annotated[int, tyro.conf.arg(help="processes")] = 2,
) -> None:
    """Make or finish a corpus, and print how many clips it has."""
    for family in forging_families():
        if family.requires and not family.available:
            if family.name in config.families:
                raise SystemExit(f"The family {family.name} needs {family.requires.name}.")
            print(f"Without {family.requires.name} no forgery of the family {family.name} is made.")
    if config.splice:
        if folders.manifest is None:
            raise SystemExit("--splice needs --manifest: it tells which clip was made from which.")
        table = read_manifest(folders.manifest)
        splits = split_identities(table.identity, config.seed, generated_identities(table))
        sources = spliced_sources(table, folders.manifest.parent, splits, config.control)
    else:
        if folders.authentic is None and folders.speech is None:
            raise SystemExit("--authentic is missing: the folder of authentic talking clips.")
        sources = list_sources(folders, config)
    if not sources:
        raise SystemExit(f"There is no clip of {MIN_SOURCE_S} s or more to forge.")
    if vocoder and not vocoder.exists():
        raise SystemExit(f"There is no {vocoder}: make it by python -m train vocoder.")
    plan = Plan(tuple(sources), str(out), config, str(vocoder) if vocoder else None)
    counts = pd.DataFrame(build(plan, workers), columns=["split", "n_fakes"])
    print(counts.assign(forged=counts.n_fakes > 0).groupby(["split", "forged"]).size().to_string())


def main(arguments: list[str] | None = None) -> None:
    tyro.cli(forge, args=arguments, prog="python -m train forge", description=__doc__)


if __name__ == "__main__":
    main()
