import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.batch import HEADERS, BatchRow
from app.verdict import headline, scored_shares
from app.viewer.component import MODULES
from app.viewer.packing import LOUDNESS, NO_BOX, NOTHING, on_scale, thinning
from app.viewer.payload import to_payload, truth_spans
from app.wording import REASONS
from deeploc.calibration import Calibration
from deeploc.export.inspection import COLOURS
from deeploc.localizer import UNREADABLE
from deeploc.preprocess.scorable import (
    CUT,
    FROZEN,
    LITTLE_SPEECH,
    NO_FACE,
    NO_SOUND,
    NO_SPEECH,
    NO_TRACK,
    SHORT_SHOT,
)
from deeploc.report import SoundEvidence, Unscored
from deeploc.timeline import Segment, Timeline
from tests.app.fakes import GRID, fake_report


def unpacked(text, kind=np.uint8):
    return np.frombuffer(base64.b64decode(text), kind)


def payload(**changes):
    return to_payload(replace(fake_report(), **changes), "clip.mp4")


def test_it_is_json_without_nan():
    text = json.dumps(payload(), allow_nan=False)
    assert json.loads(text)["report"]["schema"] == 2


def test_intervals_carry_letter_and_peak():
    (interval,) = payload()["intervals"]
    expected = {"start": 1.2, "end": 2.0, "letter": "V", "stream": "visual", "score": 0.91}
    assert interval == expected


def test_unscored_steps_stay_unscored():
    sent = payload()
    forgery = sent["report"]["scores"][-1]["values"]
    assert forgery[89] is not None
    assert forgery[90:] == [None] * 10
    cells = np.frombuffer(base64.b64decode(sent["heat"]["cells"]), np.uint8)
    assert (cells.reshape(GRID.n_frames, 8, 8)[90:] == NOTHING).all()
    assert sent["heat"]["squares"][90:] == [None] * 10


def test_heat_is_on_the_fixed_scale_of_the_calibration():
    heat = payload()["heat"]
    cells = np.frombuffer(base64.b64decode(heat["cells"]), np.uint8).reshape(-1, 8, 8)
    assert heat["scale"] == [0.8, 1.6, 2.2, 4.4]
    assert cells[0, 0, 0] == round(0.6 / 4.4 * 254)
    assert cells[35, 5, 3] == round(3.5 / 4.4 * 254)


def test_a_clip_above_the_scale_is_clipped_not_wrapped():
    report = fake_report()
    report.evidence.heat[0] = 99
    cells = base64.b64decode(to_payload(report, "clip.mp4")["heat"]["cells"])
    assert set(cells[:64]) == {254}


def test_without_evidence_or_calibration():
    sent = payload(evidence=None, pts_s=None, calibration=Calibration(), band="unscored")
    assert sent["heat"] is None
    assert sent["pts"] == []
    assert sent["headline"]["level"] == 0
    assert "never calibrated" in sent["headline"]["rate"]


def test_sound_is_on_its_own_fixed_scales():
    sound = payload()["sound"]
    heat = unpacked(sound["heat"]).reshape(GRID.n_frames, 10)
    assert (heat[:5] == NOTHING).all()
    assert heat[35, 7] == round(3.5 / 4.4 * 254)
    assert (sound["scale"], sound["face_marks"]) == ([0.8, 1.6, 2.2, 4.4], True)
    mel = sound["mel"]
    assert (mel["bins"], mel["rate"], mel["range"]) == (80, 100, LOUDNESS)
    original, rebuilt = (unpacked(mel[name]).reshape(400, 80) for name in ("original", "rebuilt"))
    assert original[0, 0] == round(10 / 16 * 254)
    assert (original.astype(int) - rebuilt)[original > 30] == pytest.approx(254 / 16, abs=1)


def test_the_waveform_is_whole():
    wave = payload()["waveform"]
    low, high = (unpacked(wave[name], np.int8) for name in ("low", "high"))
    assert (len(low), wave["rate"]) == (400, 100)
    assert (low == -high).all()
    assert high.max() == pytest.approx(0.8 * 127, abs=1)


def test_boxes_of_every_face_five_times_a_second():
    tracks = to_payload(fake_report(n_faces=2), "clip.mp4")["tracks"]
    assert [track["number"] for track in tracks] == [1, 2]
    assert [(track["first"], track["rate"]) for track in tracks] == [(0, 5), (0, 5)]
    one, other = (unpacked(track["boxes"], "<i2").reshape(-1, 4) for track in tracks)
    assert one.shape == (18, 4)  # up to the last step with the face
    assert one[2].tolist() == [50, 50, 130, 130]
    assert (other - one == [90, 10, 90, 10]).all()


def test_a_face_that_comes_late_and_pauses():
    track = fake_report().evidence.track
    boxes = track.boxes.copy()
    boxes[:20] = boxes[40:50] = np.nan
    track = replace(track, boxes=boxes, visible=~np.isnan(boxes[:, 0]))
    late = replace(fake_report().evidence, tracks=(track,))
    (sent,) = payload(evidence=late)["tracks"]
    assert sent["first"] == 4
    assert (unpacked(sent["boxes"], "<i2").reshape(-1, 4)[4:6] == NO_BOX).all()


def test_ten_minutes_stay_small():
    report, times = fake_report(n_faces=3), 150
    grid = replace(GRID, n_frames=GRID.n_frames * times)
    rng = np.random.default_rng(0)

    def long(values):
        return np.tile(values, (times,) + (1,) * (values.ndim - 1))

    sound = {name: long(getattr(report.sound, name)) for name in ("mel", "error", "peaks")}
    face = report.evidence
    tracks = tuple(
        replace(track, boxes=long(track.boxes), visible=long(track.visible))
        for track in face.tracks
    )
    sent = to_payload(
        replace(
            report,
            scores=tuple(
                replace(item, grid=grid, values=rng.random(grid.n_frames).astype(np.float32))
                for item in report.scores
            ),
            evidence=replace(face, heat=long(face.heat), crops=long(face.crops), tracks=tracks),
            sound=SoundEvidence(**sound, rebuilt=sound["mel"]),
            pts_s=np.arange(36_000) / 59.94,
        ),
        "clip.mp4",
    )
    assert sent["sound"]["mel"]["rate"] == 25
    assert len(json.dumps(sent, separators=(",", ":"))) < 6_000_000


def test_spectrograms_are_thinned_by_their_size():
    assert thinning(25 * 4 * 80 * 60) == (1, 1)
    assert thinning(25 * 4 * 80 * 200) == (2, 1)
    assert thinning(25 * 4 * 80 * 400) == (4, 1)
    assert thinning(25 * 4 * 80 * 600) == (4, 2)


def test_packing_clips_and_keeps_what_is_unknown():
    values = np.array([-1, 0, 5, 10, 99, np.nan])
    assert on_scale(values, 0, 10).tolist() == [0, 0, 127, 254, 254, NOTHING]


def test_the_page_and_the_inspection_clip_share_their_colours():
    module = (MODULES / "core" / "colours.js").read_text()
    listed = re.search(r"VIRIDIS = \[(.*?)\];", module, re.S).group(1)
    assert [list(map(int, row)) for row in re.findall(r"\[(\d+), *(\d+), *(\d+)\]", listed)] == (
        COLOURS.tolist()
    )


def test_without_sound_or_reconstruction():
    sent = payload(sound=None)
    assert (sent["sound"], sent["waveform"], sent["inspection"]) == (None, None, None)
    plain = payload(sound=replace(fake_report().sound, rebuilt=None))
    assert plain["sound"]["mel"]["rebuilt"] is None
    assert payload(inspection=Path("face.mp4"))["inspection"] == "face.mp4"


def test_truth_is_unknown_authentic_or_spans():
    assert payload()["truth"] is None
    report = fake_report()
    assert to_payload(report, "clip.mp4", {"visual": Timeline()})["truth"] == []


def test_truth_of_both_streams_gets_both_letters():
    both, sound = Segment(1, 2), Segment(3, 4)
    truth = {
        "visual": Timeline((both,)),
        "audio": Timeline((both, sound)),
        "fused": Timeline((both, sound, Segment(5, 6))),
    }
    letters = [(span["start"], span["letter"]) for span in truth_spans(truth)]
    assert letters == [(1, "VA"), (3, "A"), (5, "VA")]


def test_the_headline_states_the_false_alarm_rate():
    words = headline(fake_report())
    assert words["band"] == "Some evidence of forgery"
    assert words["rate"] == (
        "Of 120 authentic clips that were kept out of its training, this model flags 6 "
        "(5%, 95% interval 2 to 10%)."
    )
    assert {"label": "Flagged as forged", "value": "0.8 s of 4.0 s"} in words["facts"]
    assert words["model"] == "fake@r1 · abababab"


def test_a_quiet_clip_is_not_called_authentic():
    words = headline(replace(fake_report(), band="none", timeline=()))
    assert "Of 120 authentic clips" in words["rate"] and "5%" in words["rate"]
    assert words["note"] == "Absence of evidence is not proof of authenticity."


def unjudged(**changes):
    nothing = {"band": "unscored", "video_score": None, "timeline": (), "proposals": ()}
    return replace(fake_report(), **nothing | changes)


def without(stream):
    """The scores with none in a stream."""
    return tuple(
        replace(item, values=np.full_like(item.values, np.nan)) if item.stream == stream else item
        for item in fake_report().scores
    )


def test_too_little_to_judge_says_why_and_claims_no_number():
    words = headline(unjudged())
    assert words["level"] == 0 and words["trust"] == []
    assert words["band"] == "Not enough evidence to judge"
    assert [fact["label"] for fact in words["facts"]] == ["Scored", "Work"]
    assert words["rate"] == (
        "Too little could be judged: 3.6 s of the picture (no usable face) and all of the sound."
    )
    assert "%" not in words["rate"]


def test_no_verdict_names_what_lasts_longest_of_what_is_missing():
    still = Unscored(Segment(0, 3), "frozen picture", "visual")
    cut = Unscored(Segment(3, 3.2), "cut", "visual")
    no_face = Unscored(Segment(3.2, 4), "no usable face", "visual")
    report = unjudged(unscored=(cut, no_face, still), scores=without("visual"))
    assert headline(report)["rate"] == (
        "Too little could be judged: nothing of the picture (frozen picture, no usable face) and "
        "all of the sound."
    )
    nothing = unjudged(unscored=(Unscored(Segment(0, 4), "no face"),), scores=())
    assert headline(nothing)["rate"] == (
        "Too little could be judged: nothing of the picture (no face) and nothing of the sound "
        "(no face)."
    )


def test_a_clip_that_is_too_short_for_a_verdict_gets_none():
    scores = tuple(replace(item, values=np.ones(GRID.n_frames)) for item in fake_report().scores)
    words = headline(unjudged(scores=scores, unscored=()))
    assert words["rate"] == "There is too little to judge in a clip as short as this."


def test_the_table_of_several_clips_says_why_one_has_no_verdict():
    cells = BatchRow("clip.mp4", unjudged(warnings=("Small.",))).cells(1)
    row = dict(zip(HEADERS, cells, strict=True))
    assert row["Verdict"] == "Not enough evidence to judge"
    assert row["Notes"].startswith("Too little could be judged: 3.6 s of the picture")
    assert row["Notes"].endswith(" Small.")
    assert BatchRow("clip.mp4", fake_report()).cells(1)[-1] == ""


def test_every_reason_has_its_meaning():
    told = {NO_FACE, FROZEN, CUT, SHORT_SHOT, NO_TRACK, NO_SOUND, NO_SPEECH, LITTLE_SPEECH}
    assert told | {UNREADABLE} == set(REASONS)
    assert payload()["reasons"] == {name: REASONS[name] for name in ("no usable face", "no sound")}


def test_scored_share_of_each_stream():
    assert scored_shares(fake_report()) == [("picture", 0.9), ("sound", 1.0)]
    assert scored_shares(replace(fake_report(), scores=())) == [("picture", 0.0), ("sound", 0.0)]
