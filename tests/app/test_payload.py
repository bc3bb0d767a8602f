import base64
import json
from dataclasses import replace

import numpy as np

from app.verdict import headline, scored_shares
from app.viewer.payload import NO_HEAT, heat_scale, to_payload, truth_spans
from deeploc.calibration import NONE, NOT_ENOUGH, UNTRAINED, Calibration
from deeploc.timeline import Segment, Timeline
from tests.app.canned import GRID, canned_report


def payload(**changes):
    return to_payload(replace(canned_report(), **changes), "clip.mp4")


def test_it_is_json_without_nan():
    text = json.dumps(payload(), allow_nan=False)
    assert json.loads(text)["report"]["schema"] == 1


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
    assert (cells.reshape(GRID.n_frames, 8, 8)[90:] == NO_HEAT).all()
    assert sent["heat"]["squares"][90:] == [None] * 10


def test_heat_is_on_the_fixed_scale_of_the_calibration():
    heat = payload()["heat"]
    cells = np.frombuffer(base64.b64decode(heat["cells"]), np.uint8).reshape(-1, 8, 8)
    assert heat["scale"] == [0.8, 1.6, 2.2, 4.4]
    assert cells[0, 0, 0] == round(0.6 / 4.4 * 254)
    assert cells[35, 5, 3] == round(3.5 / 4.4 * 254)


def test_a_clip_above_the_scale_is_clipped_not_wrapped():
    report = canned_report()
    report.evidence.heat[0] = 99
    cells = base64.b64decode(to_payload(report, "clip.mp4")["heat"]["cells"])
    assert set(cells[:64]) == {254}


def test_without_evidence_or_calibration():
    sent = payload(evidence=None, pts_s=None, calibration=Calibration(), verdict=UNTRAINED)
    assert sent["heat"] is None
    assert sent["pts"] == []
    assert sent["headline"]["level"] == 0
    assert "never calibrated" in sent["headline"]["rate"]
    assert len(heat_scale({})) == 4


def test_truth_is_unknown_authentic_or_spans():
    assert payload()["truth"] is None
    report = canned_report()
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
    words = headline(canned_report())
    assert words["band"] == "Some evidence of forgery"
    assert words["rate"] == "At this level 5% of 120 authentic validation clips are flagged."
    assert {"label": "Flagged as forged", "value": "0.8 s of 4.0 s"} in words["facts"]
    assert words["model"] == "canned@r1 · abababab"


def test_a_quiet_clip_is_not_called_authentic():
    words = headline(replace(canned_report(), verdict=NONE, timeline=()))
    assert "5% of 120" in words["rate"]
    assert words["note"] == "Absence of evidence is not proof of authenticity."


def test_too_little_to_judge_claims_no_number():
    words = headline(
        replace(canned_report(), verdict=NOT_ENOUGH, video_score=None, timeline=(), proposals=())
    )
    assert words["level"] == 0
    assert [fact["label"] for fact in words["facts"]] == ["Scored", "Work"]
    assert "%" not in words["rate"]


def test_scored_share_of_each_stream():
    assert scored_shares(canned_report()) == [("picture", 0.9), ("sound", 1.0)]
    assert scored_shares(replace(canned_report(), scores=())) == [("picture", 0.0), ("sound", 0.0)]
