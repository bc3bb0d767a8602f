"""`python -m train VERB ...`: one command for every stage of training; `VERB --help` tells more.

A verb is one line of `VERBS`: the module whose `main` takes its arguments, imported only then, and
what it does. Verbs that train also run under `torchrun ... -m train VERB ...`.
"""

from __future__ import annotations

import sys
from importlib import import_module

from deeploc.errors import DeepLocError

VERBS = {
    "run": ("train.run", "from a dataset to a checkpoint: extract, pretrain, discover"),
    "forge": ("train.forge.corpus", "a corpus of partial forgeries from authentic clips"),
    "everyday": ("train.everyday.corpus", "clips under everyday changes, which are no forgery"),
    "vocoder": ("train.forge.sound.fit_vocoder", "fit a neural vocoder for the forge"),
    "extract": ("train.data.extract", "a dataset as face crops, mel and vocoder lines"),
    "pretrain": ("train.pretrain", "the masked autoencoder, on authentic clips"),
    "discover": ("train.discover", "the forgery discovery network, from clip labels"),
    "calibrate": ("train.calibrate", "set the levels of a checkpoint anew, on validation clips"),
    "evaluate": ("train.evaluate.evaluation", "a checkpoint beside its baselines"),
    "card": ("train.evaluate.card", "the tables of README and model card, from metrics.json"),
    "ablate": ("train.evaluate.ablation", "what each part of the method is worth"),
    "leaks": ("train.evaluate.leaks", "whether nuisances tell what is forged in a corpus"),
    "benchmark": ("train.engine.benchmark", "what each stage costs on this machine"),
    "examples": ("train.examples", "draw the repository's example clips"),
}


def main(arguments: list[str] | None = None) -> None:
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] in ("-h", "--help"):
        print("usage: python -m train VERB ...\n")
        print("\n".join(f"  {verb:10} {purpose}" for verb, (_, purpose) in VERBS.items()))
        print("\npython -m train VERB --help shows the options of a verb, with units and defaults.")
        return
    verb, *rest = words
    if verb not in VERBS:
        raise SystemExit(f"python -m train has no verb {verb}. It knows {', '.join(VERBS)}.")
    try:
        import_module(VERBS[verb][0]).main(rest)
    except DeepLocError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
