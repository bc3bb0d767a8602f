"""From a file to a report, on the example clips and on everything a user may drop by mistake."""

import hashlib
import json
from pathlib import Path

import av
import numpy as np
import pytest

from deeploc.calibration import Calibration
from deeploc.errors import Cancelled, ClipTooShort, DeepLocError, NoFace, NoVideo, UnreadableMedia
from deeploc.localizer import STAGES, Localizer, load_localizer
from deeploc.media.clip import open_clip
from deeploc.media.writer import write_clip
from deeploc.report import ModelInfo
from deeploc.report_files import report_to_dict
from deeploc.timeline import Segment

EXAMPLES = Path(__file__).parents[1] / "assets" / "examples"
GREY = np.full((360, 480, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def localizer():
    return load_localizer("tiny", device="cpu")


@pytest.fixture(scope="module")
def talk():
    """Three seconds of the authentic example: frames and sound."""
    clip = open_clip(EXAMPLES / "authentic.mp4")
    frames = [frame for _, frame in zip(range(75), clip.frames(), strict=False)]
    return frames, clip.audio[: 75 * 640]


@pytest.fixture(scope="module")
def short(talk, tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "short.mp4"
    write_clip(path, *talk)
    return path


@pytest.fixture(scope="module")
def report(localizer, short):
    return localizer(short)


def test_the_report_is_whole(report):
    assert report.band == "unscored"
    assert [(item.kind, item.stream) for item in report.scores] == [
        (kind, stream) for kind in ("error", "forgery") for stream in ("visual", "audio", "fused")
    ]
    for scores in report.scores:
        assert scores.grid.n_frames == 75
        assert scores.scored[10:].all()
    assert report.evidence.heat.shape == (75, 6, 6)
    assert report.evidence.crops.shape == (75, 4)
    ranks = [item.score for item in report.proposals]
    assert ranks and ranks == sorted(ranks, reverse=True)
    assert set(report.timing.stages) == set(STAGES)
    (silence,) = report.unscored
    assert (silence.reason, silence.stream, silence.segment.start) == ("no speech", "audio", 0)
    assert report.shots == (Segment(0, 3),)


def plain(report):
    data = report_to_dict(report)
    del data["timing"]
    return json.dumps(data, allow_nan=False)


def test_running_twice_gives_the_same_report(localizer, short, report):
    again = localizer(short)
    assert plain(again) == plain(report)
    np.testing.assert_array_equal(again.evidence.heat, report.evidence.heat)


def test_inspecting_changes_nothing_in_the_report(localizer, short, report, tmp_path):
    inspected = localizer(short, inspection=tmp_path)
    assert plain(inspected) == plain(report)
    np.testing.assert_array_equal(inspected.evidence.heat, report.evidence.heat)
    assert (report.inspection, report.sound.rebuilt) == (None, None)
    assert inspected.inspection.parent == tmp_path
    with av.open(str(inspected.inspection)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 75
    sound = inspected.sound
    assert sound.mel.shape == sound.rebuilt.shape == (300, 80)
    assert (sound.error.shape, sound.peaks.shape) == ((75, 10), (300, 2))


def test_the_report_names_the_file_by_its_hash(report, short):
    assert report.media.sha256 == hashlib.sha256(short.read_bytes()).hexdigest()


def test_the_hook_hears_of_every_stage_in_order(localizer, short):
    calls = []
    localizer(short, hook=lambda *call: calls.append(call))
    assert list(dict.fromkeys(stage for stage, _, _ in calls)) == list(STAGES)
    for stage in STAGES:
        done = [completed / total for name, completed, total in calls if name == stage]
        assert done[0] == 0 and done[-1] == 1 and done == sorted(done)


@pytest.mark.parametrize("at", STAGES)
def test_a_run_is_cancelled_from_the_hook_at_any_stage(localizer, short, at):
    def stop(stage, completed, total):
        if stage == at:
            raise Cancelled

    with pytest.raises(Cancelled):
        localizer(short, hook=stop)


def calibrated(localizer, thresholds, bands):
    scale = Calibration({}, thresholds, bands, {"all": {"clips": 10}})
    model = localizer.model.calibrated(scale, "calibrated")
    return Localizer(model, ModelInfo("calibrated", "local", ""))


@pytest.mark.parametrize(
    ("visual", "audio", "stream"), [(0, 1, "visual"), (1, 0, "audio"), (0, 0, "fused")]
)
def test_intervals_name_the_stream_that_stands_out(localizer, short, visual, audio, stream):
    thresholds = {"visual": visual, "audio": audio, "fused": 0.0}
    found = calibrated(localizer, thresholds, {"some": 0.0, "strong": 0.0})(short).timeline
    assert [item.stream for item in found] == [stream]
    assert found[0].segment.duration == pytest.approx(3)


def test_without_sound_the_picture_is_scored_and_it_says_so(localizer, talk, tmp_path):
    write_clip(tmp_path / "silent.mp4", talk[0], None)
    report = localizer(tmp_path / "silent.mp4")
    assert any("no sound" in warning for warning in report.warnings)
    assert report.video_score is not None
    assert report.sound is None
    assert [item.stream for item in report.unscored] == ["audio"]
    assert [item.reason for item in report.unscored] == ["the file has no sound"]


def test_a_face_for_a_second_gives_no_verdict(localizer, talk, tmp_path):
    write_clip(tmp_path / "guest.mp4", [*talk[0][:25], *[GREY] * 50], talk[1])
    scale = {"visual": 0.0, "audio": 0.0, "fused": 0.0}
    report = calibrated(localizer, scale, {"some": 0.0, "strong": 0.0})(tmp_path / "guest.mp4")
    assert (report.video_score, report.band) == (None, "unscored")
    assert any("too short for a verdict" in warning for warning in report.warnings)
    picture = [item for item in report.unscored if item.stream == "visual"]
    assert [item.reason for item in picture] == ["shot too short", "cut", "no usable face"]
    assert picture[-1].segment.start == pytest.approx(1, abs=0.2)
    assert picture[-1].segment.end == 3
    assert len(report.shots) == 2


def test_silence_with_a_still_picture_before_the_talk_is_not_judged(localizer, talk, tmp_path):
    frames, audio = talk
    silence = np.zeros(16_000, np.float32)
    write_clip(tmp_path / "lead-in.mp4", [frames[0]] * 25 + list(frames), np.append(silence, audio))
    report = localizer(tmp_path / "lead-in.mp4")
    first = {item.stream: item for item in report.unscored if item.segment.start == 0}
    assert (first["visual"].reason, first["audio"].reason) == ("frozen picture", "no speech")
    assert first["visual"].segment.end == pytest.approx(1, abs=0.15)
    assert first["audio"].segment.end >= 1
    assert all(item.segment.start > 0.9 for item in report.proposals)


def test_of_several_faces_one_can_be_picked(localizer, talk, tmp_path):
    frames = [np.concatenate([frame, frame[:, ::-1]], axis=1) for frame in talk[0]]
    write_clip(tmp_path / "two.mp4", frames, talk[1])
    one, other = (localizer(tmp_path / "two.mp4", face=number) for number in (1, 2))
    assert any("2 faces" in warning for warning in one.warnings)
    assert len(one.evidence.tracks) == 2
    assert abs(one.evidence.crops[30, 0] - other.evidence.crops[30, 0]) > 100
    with pytest.raises(DeepLocError, match="no face 3"):
        localizer(tmp_path / "two.mp4", face=3)


def bad(kind, folder):
    path = folder / f"{kind}.mp4"
    whole = (EXAMPLES / "authentic.mp4").read_bytes()
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("not a video")
    elif kind == "beginning":
        path.write_bytes(whole[:300])
    elif kind == "one-frame":
        write_clip(path, [GREY], None)
    elif kind == "faceless":
        write_clip(path, [GREY] * 50, np.zeros(32_000, np.float32))
    return path


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("missing", UnreadableMedia),
        ("empty", UnreadableMedia),
        ("text", UnreadableMedia),
        ("beginning", UnreadableMedia),
        ("one-frame", ClipTooShort),
        ("faceless", NoFace),
    ],
)
def test_bad_files_end_in_their_own_sentence(localizer, tmp_path, kind, error):
    with pytest.raises(error, match=rf"{kind}\.mp4"):
        localizer(bad(kind, tmp_path))


def test_sound_alone_is_no_clip(localizer, tmp_path):
    path = tmp_path / "voice.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.int16), layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
    with pytest.raises(NoVideo):
        localizer(path)


def test_half_a_file_is_scored_as_far_as_it_goes(localizer, tmp_path):
    whole = (EXAMPLES / "authentic.mp4").read_bytes()
    path = tmp_path / "half.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    report = localizer(path)
    assert report.warnings
    assert report.media.duration_s > 0.64


@pytest.mark.parametrize("device", ["cuda:99", "toaster"])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(DeepLocError, match="--device cpu"):
        load_localizer("tiny", device=device)


def test_the_growing_curve_changes_nothing_in_the_report(localizer, short, report):
    grown = np.full((2, 75), np.nan, np.float32)

    def preview(start, total, errors):
        assert total == 75
        for row, stream in zip(grown, ("visual", "audio"), strict=True):
            row[start : start + len(errors[stream])] = errors[stream]

    found = localizer(short, preview=preview)
    for one, other in zip(found.scores, report.scores, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
    told = ~np.isnan(grown[0])
    assert told[:30].all()  # every step but those of the last windows
    # against the steps so far, not yet against the whole clip
    np.testing.assert_allclose(grown[0][told], report.scores[0].values[told] / 2, atol=0.05)
    assert np.corrcoef(grown[0][told], report.scores[0].values[told])[0, 1] > 0.9


def test_of_a_long_clip_the_first_seconds_are_shown_before_its_faces_are_known(
    localizer, short, report, monkeypatch
):
    monkeypatch.setattr("deeploc.localizer.PREVIEW_FROM_S", 1.0)
    monkeypatch.setattr("deeploc.localizer.PREVIEW_S", 1.92)
    told = []
    found = localizer(
        short,
        hook=lambda stage, completed, total: told.append((stage, completed)),
        preview=lambda start, total, errors: told.append((start, total, len(errors["visual"]))),
    )
    glimpse = told.index((0, 75, 33))
    assert ("faces", 0) in told[:glimpse] and ("faces", 75) in told[glimpse:]
    for one, other in zip(found.scores, report.scores, strict=True):
        np.testing.assert_array_equal(one.values, other.values)


def test_a_glimpse_of_nobody_is_none(localizer, short, monkeypatch):
    monkeypatch.setattr("deeploc.localizer.PREVIEW_FROM_S", 1.0)
    monkeypatch.setattr("deeploc.localizer.PREVIEW_S", 0.4)  # no face stays as long as it must
    starts = []
    localizer(short, preview=lambda start, total, errors: starts.append(start))
    assert starts and starts.count(0) == 1


def test_warming_up_changes_nothing(localizer, short, report):
    localizer.warm_up()
    np.testing.assert_array_equal(localizer(short).scores[0].values, report.scores[0].values)
