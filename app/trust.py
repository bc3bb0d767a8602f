"""Calibration -> how far a verdict can be trusted, in sentences: false alarms, misses, mistakes.

No share stands without its count. What was not measured is said to be unknown.
"""

from __future__ import annotations

from deeploc.calibration import FOOTAGES, Band, Calibration, Rate

FEWEST_CLIPS = 10  # of a kind of change, before it is named
MOST_KINDS = 3
UNKNOWN_RATE = "The false-alarm rate of this model is not known."
UNKNOWN_MISSES = "How many forgeries it misses is not known."
FOOTAGE_WORDS = {
    "laboratory": "laboratory recordings",
    "ordinary": "ordinary recordings",
    "other": "other recordings",
}
FORGED_WORDS = {
    "self-made": "self-made forgeries",
    "real generators": "forgeries by published generators",
}
# Everyday changes by their names in `train.everyday`, where the name itself is no plain word.
KIND_WORDS = {
    "automatic-gain": "an automatic recording level",
    "breath": "loud breath",
    "camera-shake": "a shaking camera",
    "clipping": "overdriven sound",
    "compression-step": "a change of compression",
    "cutaway": "a picture without a face",
    "denoiser": "a denoiser on the voice",
    "exposure-step": "a change of brightness",
    "frame-rate-24": "24 frames a second",
    "frame-rate-29.97": "29.97 frames a second",
    "frame-rate-30": "30 frames a second",
    "frame-rate-50": "50 frames a second",
    "frame-rate-60": "60 frames a second",
    "freeze": "a frozen picture",
    "hand-before-face": "a hand before the face",
    "head-turn": "a turn of the head",
    "interlaced": "an interlaced picture",
    "jump-cut": "a jump cut",
    "laughter-or-applause": "laughter or applause",
    "logo": "a logo",
    "messenger": "a messenger's compression",
    "noise-burst": "a burst of noise",
    "noise-gate": "a noise gate on the voice",
    "other-room": "the sound of another room",
    "picture-fade": "a fade of the picture",
    "punch-in": "a sudden zoom",
    "reverse-shot": "two people in turn",
    "screen-recording": "a filmed screen",
    "sensor-noise": "camera noise",
    "several-in-a-row": "repeated forwarding",
    "silence-before": "silence before the speech",
    "silence-behind": "silence after the speech",
    "silence-within": "silence within the speech",
    "slow-zoom": "a slow zoom",
    "sound-fade": "a fade of the sound",
    "sound-of-another": "somebody else in the picture",
    "telephone-band": "the sound of a telephone",
    "title-card": "a title card",
    "volume-step": "a change of volume",
    "vp9-opus": "compression as on video sites",
    "white-balance-step": "a change of colour",
}


def false_alarms(calibration: Calibration, band: Band) -> str:
    """How many authentic clips are flagged, of all that the bands were set on."""
    flagged = calibration.alarms("some")
    if flagged is None:
        return UNKNOWN_RATE
    low, high = flagged.interval
    sentence = (
        f"Of {flagged.clips} authentic clips that were kept out of its training, this model flags "
        f"{flagged.flagged} ({_percent(flagged.share)}, 95% interval {_range(low, high)})."
    )
    strong = calibration.alarms("strong")
    if band == "strong" and strong is not None:
        verb = "is" if strong.flagged == 1 else "are"
        sentence += f" Of these, {strong.flagged} {verb} flagged as strongly as this clip."
    return sentence


def trust(calibration: Calibration, band: Band) -> list[str]:
    """What else was measured: false alarms by footage and change, misses, the worst mistakes.

    Where nothing was found, the misses stand first.
    """
    misses, mistakes = _misses(calibration), _mistakes(calibration)
    found = [_by_footage(calibration), mistakes]
    found.insert(0 if band == "none" else 1, misses or UNKNOWN_MISSES)
    return [sentence for sentence in found if sentence]


def _by_footage(calibration: Calibration) -> str:
    rates = {name: calibration.alarms("some", name) for name in FOOTAGES}
    plain = [_counted(rate, FOOTAGE_WORDS[name]) for name, rate in rates.items() if rate]
    under = [
        rate for kind in calibration.kinds if (rate := calibration.alarms("some", kind)) is not None
    ]
    sentences = []
    if plain:
        sentences.append(f"Of clips as they are, it flags {_listed(plain)}.")
    if under:
        flagged, clips = sum(rate.flagged for rate in under), sum(rate.clips for rate in under)
        sentences.append(
            f"Of clips under everyday changes that are no forgery, it flags {flagged} of {clips} "
            f"({_percent(flagged / clips)})."
        )
    return " ".join(sentences)


def _misses(calibration: Calibration) -> str:
    rates = {name: calibration.misses(name) for name in calibration.forged}
    missed = [
        _counted(rate, FORGED_WORDS.get(name, f"forgeries ({name})"))
        for name, rate in rates.items()
        if rate
    ]
    return f"It finds nothing in {_listed(missed)}." if missed else ""


def _mistakes(calibration: Calibration) -> str:
    rates = [(kind, calibration.alarms("some", kind)) for kind in calibration.kinds]
    worst = [
        f"{kind_words(kind)} ({rate.flagged} of {rate.clips} clips)"
        for kind, rate in rates
        if rate and rate.clips >= FEWEST_CLIPS and rate.flagged
    ]
    return f"Honest changes that it flags most: {_listed(worst[:MOST_KINDS])}." if worst else ""


def kind_words(kind: str) -> str:
    """A kind of everyday change as a noun: "soft-focus" is soft focus."""
    return KIND_WORDS.get(kind, kind.replace("-", " "))


def _counted(rate: Rate, what: str) -> str:
    share, interval = _percent(rate.share), _range(*rate.interval)
    return f"{rate.flagged} of {rate.clips} {what} ({share}, {interval})"


def _percent(share: float) -> str:
    """Whole percents; below one percent a tenth, so that little is not nothing."""
    return f"{_plain(share)}%"


def _range(low: float, high: float) -> str:
    return f"{_plain(low)} to {_percent(high)}"


def _plain(share: float) -> str:
    return f"{100 * share:.1f}" if 0 < share < 0.01 else f"{100 * share:.0f}"


def _listed(parts: list[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
