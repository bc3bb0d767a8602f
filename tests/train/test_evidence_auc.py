"""What each value of the evidence tells alone, on evidence of which one value tells everything."""

import numpy as np
import pytest

from deeploc.annotations import ClipTruth
from deeploc.annotations.truth import with_fused
from deeploc.evidence import Evidence
from deeploc.models.rt_deeploc import VALUES
from deeploc.timeline import Segment, Timeline
from train.data.cache import CachedClip
from train.evaluate.evidence_auc import NAMES, evidence_aucs

STEPS, FORGED = 100, slice(25, 50)
MOUTH = 26  # a cell of the face
LOUDER, FINER = NAMES.index("content, value"), NAMES.index("cross, fine")


@pytest.fixture
def found():
    rng = np.random.default_rng(0)
    segments = with_fused({name: Timeline.of([Segment(1.0, 2.0)]) for name in ("visual", "audio")})
    samples, evidence = [], {}
    for number in range(4):
        visual = rng.normal(size=(STEPS, 36, VALUES)).astype(np.float32) + 10 * number
        audio = rng.normal(size=(STEPS, 10, VALUES)).astype(np.float32) - 10 * number
        if number:
            visual[FORGED, MOUTH, FINER] += 40
            audio[FORGED, 8, LOUDER] -= 40
        visual[:5] = np.nan
        file = f"{number}.mp4"
        evidence[file] = Evidence(visual, audio, np.zeros((STEPS, 6), np.float32))
        samples.append(CachedClip(ClipTruth(file, segments if number else with_fused({})), None))
    return evidence_aucs(samples, evidence)


def test_the_value_that_tells_is_named_with_its_zone_and_direction(found):
    assert tuple(found["visual"]) == tuple(found["audio"]) == NAMES
    assert found["visual"]["cross, fine"]["mouth"] == 1.0
    assert found["audio"]["content, value"]["high"] == 0.0


def test_all_others_tell_nothing(found):
    telling = {("visual", "cross, fine", "mouth"), ("audio", "content, value", "high")}
    others = [
        auc
        for stream, values in found.items()
        for name, zones in values.items()
        for zone, auc in zones.items()
        if (stream, name, zone) not in telling
    ]
    assert len(others) == 12 * (5 + 3) - 2
    assert all(0.3 < auc < 0.7 for auc in others)


def test_without_a_forged_clip_nothing_is_told():
    found = evidence_aucs([], {})
    assert np.isnan(found["visual"]["hidden, detail"]["nose"])
