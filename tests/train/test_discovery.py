"""Every switch of the discovery loss, on made-up evidence."""

from dataclasses import replace
from unittest.mock import Mock

import pytest
import torch

from deeploc.annotations import ClipTruth, write_lavdf
from deeploc.models.fdn import AROUND, FDN, FDNOutput
from deeploc.models.rt_deeploc import VALUES, RTDeepLoc
from train import discover
from train.config import LOSS_TERMS, DiscoverConfig
from train.data.cache import cached_path
from train.data.clip_batches import ClipBatch
from train.data.evidence_store import EvidenceStore
from train.discover import train_fdn
from train.losses.objective import discovery_loss
from train.losses.pseudo_labels import PseudoLabeler

CLIPS, STEPS = 6, 80


@pytest.fixture
def model():
    torch.manual_seed(0)
    return RTDeepLoc().eval()


@pytest.fixture
def clips(model):
    """Every other clip is forged in the picture from step 20 to 45, where its evidence is higher;
    the last ones also in sound."""
    generator = torch.Generator().manual_seed(0)
    config = model.fdn.config
    visual, audio = (
        torch.randn(CLIPS, STEPS, 2 * size, generator=generator)
        for size in (config.visual + AROUND // 2, config.audio)
    )
    steps = torch.zeros(CLIPS, STEPS, 3)
    steps[::2, 20:45, 0] = steps[4:, 20:45, 1] = 1
    steps[..., 2] = steps.amax(-1)
    visual += steps[..., :1]
    here = torch.ones(CLIPS, STEPS, dtype=torch.bool)
    seen = here.clone()
    seen[:, 70:] = False
    lines = torch.randn(CLIPS, STEPS, 6)
    cues = torch.stack([visual.mean(-1), audio.mean(-1)], dim=-1)
    return ClipBatch(visual, audio, lines, cues.amax(-1), cues, seen, here, steps.amax(1), steps)


class InMemory:
    """Clips as training reads them: each as a batch of one."""

    def __init__(self, clips):
        self.clips = clips

    def __len__(self):
        return len(self.clips.labels)

    def __getitem__(self, key):
        return self.clips[key[1] : key[1] + 1]


def terms(model, clips, labeler=None, **settings):
    return discovery_loss(model.fdn, clips, DiscoverConfig(**settings), labeler)


@pytest.mark.parametrize("name", LOSS_TERMS)
def test_every_term_can_be_switched_off_and_weighs_what_is_said(model, clips, name):
    labeler = PseudoLabeler.of(model.fdn, [clips], "streams")
    without, once, twice = (
        terms(model, clips, labeler, **{"labels": "frames", name: weight})
        for weight in (0.0, 1.0, 2.0)
    )
    assert name not in without and set(once) == set(without) | {name}
    assert once[name].item() > 0
    assert twice[name].item() == pytest.approx(2 * once[name].item())
    assert all(once[other] == without[other] for other in without)


def test_symmetry_changes_the_contrast_alone(model, clips):
    one, other = terms(model, clips), terms(model, clips, symmetric=True)
    assert {name for name in one if one[name] != other[name]} == {"aicl"}


def test_settings_look_at_their_own_labels_only(model, clips):
    other_steps = replace(clips, steps=1 - clips.steps)
    swapped = clips.labels.clone()
    swapped[:, :2] = 1 - swapped[:, :2]
    other_streams = replace(clips, labels=swapped)
    everything = dict.fromkeys(("p2s", "deviation", "cola"), 1.0)
    for setting, changed in (
        ("clip", set()),
        ("streams", {"mil", "streams"}),
        ("frames", {"mil", "streams", "frames"}),
    ):
        before = terms(model, clips, labels=setting, **everything)
        found = set()
        for other in (other_steps, other_streams):
            after = terms(model, other, labels=setting, **everything)
            found |= {name for name in before if before[name] != after[name]}
        assert found == changed


def test_the_bit_of_a_clip_that_has_one_stream_is_that_streams(model, clips):
    spoken = replace(clips, seen=torch.zeros_like(clips.seen))
    labels = clips.labels.clone()
    labels[:, 2] = labels[:, 1]
    spoken = replace(spoken, labels=labels)
    alone = terms(model, spoken)["streams"]
    torch.testing.assert_close(alone, terms(model, spoken, labels="streams")["streams"])
    alone.backward()
    assert model.fdn.audio_head.weight.grad.abs().sum() > 0
    assert model.fdn.visual_head.weight.grad.abs().sum() == 0


@pytest.mark.parametrize("inputs", ("all", "content", "error"))
def test_inputs_that_are_switched_off_change_nothing(clips, inputs):
    torch.manual_seed(0)
    model = RTDeepLoc(fdn={"inputs": inputs}).eval()
    evidence = (
        torch.randn(1, STEPS, 36, VALUES),
        torch.randn(1, STEPS, model.mae.config.mel_rows, VALUES),
    )
    lines = torch.randn(1, STEPS, 6)
    here = torch.ones(1, STEPS, dtype=torch.bool)
    before = model.forgery_scores(*evidence, lines, here, here)
    for part, read in ((slice(0, 4), inputs != "error"), (slice(4, VALUES), inputs != "content")):
        other = [item.clone() for item in evidence]
        for item in other:
            item[..., part] = torch.randn_like(item[..., part])
        assert torch.equal(model.forgery_scores(*other, lines, here, here), before) != read
    unlike = model.forgery_scores(*evidence, torch.randn_like(lines), here, here)
    assert torch.equal(unlike, before) == (inputs == "error")


def test_mil_leaves_out_what_the_cue_speaks_against(model, clips):
    """In a clip that may be forged alone; with frame labels every step still counts."""
    low = clips.cues[..., 0] < clips.cues[..., 0].quantile(0.25, dim=1, keepdim=True)
    place = (low & clips.seen & (clips.labels[:, 2:] > 0)).nonzero()[0]
    cases = (({}, False), ({"guide": 0.0}, True), ({"labels": "frames"}, True))
    for settings, reached in cases:
        logits = torch.full((CLIPS, STEPS, 3), -3.0)
        logits[place[0], place[1], 0] = 3  # would be taken
        logits.requires_grad_()
        fdn = Mock(return_value=FDNOutput(logits, torch.randn(CLIPS, STEPS, 8)))
        off = dict.fromkeys(("mil", "aicl", "mtlr"), 0.0)
        sum(terms(Mock(fdn=fdn), clips, **off, **settings).values()).backward()
        assert bool(logits.grad[place[0], place[1], 0]) == reached


def test_scores_are_held_against_authentic_training_steps(model, clips):
    """Half of what a tenth of them exceed, whatever the scale of a head; the order stays."""
    config = DiscoverConfig(epochs=2, batch=3)
    train_fdn(model, InMemory(clips), InMemory(clips), config)
    logits = clips.forward(model.fdn).logits
    scores = model.fdn.scores(logits, clips.seen, clips.heard)
    authentic = clips.valid & (clips.labels[:, 2:] == 0)[:, None]
    for column in (0, 1):
        own = scores[..., column][authentic[..., column]]
        assert (own > 0.5).float().mean().item() == pytest.approx(0.1, abs=0.02)
        assert own.median().item() == pytest.approx(torch.tensor(-1.0).sigmoid().item(), abs=0.01)
        assert torch.equal(logits[0, :, column].argsort(), scores[0, :, column].argsort())


def test_clips_without_sound_teach_the_picture_alone(model, clips):
    silent = replace(clips, heard=torch.zeros_like(clips.heard))
    config = DiscoverConfig(epochs=2, batch=3)
    log = train_fdn(model, InMemory(silent), InMemory(silent), config)
    assert all(torch.tensor(list(entry.values())).isfinite().all() for entry in log)
    assert model.fdn.spread[0] != 1 and model.fdn.spread[1] == 1


def test_inputs_are_kept_in_the_checkpoint(clips, tmp_path):
    model = RTDeepLoc(fdn={"inputs": "content"}).eval()
    model.calibrated(model.calibration, "content").save_pretrained(tmp_path)
    loaded = RTDeepLoc.from_pretrained(tmp_path, strict=True).eval()
    assert loaded.fdn.config == model.fdn.config
    assert torch.equal(clips.forward(loaded.fdn).logits, clips.forward(model.fdn).logits)


def test_gates_come_from_authentic_clips_alone(model, clips):
    before = PseudoLabeler.of(model.fdn, [clips], "clip")
    forged = clips.labels[:, 2] > 0
    loud = clips.visual.clone()
    loud[forged] *= 5
    assert PseudoLabeler.of(model.fdn, [replace(clips, visual=loud)], "clip").gates == before.gates
    loud[~forged] *= 5
    assert PseudoLabeler.of(model.fdn, [replace(clips, visual=loud)], "clip").gates != before.gates
    one, other = clips[torch.arange(3)], clips[torch.arange(3, CLIPS)]
    torch.testing.assert_close(
        torch.tensor(PseudoLabeler.of(model.fdn, [one, other], "clip").gates[2]),
        torch.tensor(before.gates[2]),
    )


def test_pseudo_labels_know_no_truth_and_only_bits_that_the_setting_tells(model, clips):
    strict = PseudoLabeler.of(model.fdn, [clips], "clip").labels(clips)
    bits = clips.labels.clone()
    bits[:, :2] = 1 - bits[:, :2]
    blind = replace(clips, steps=torch.full_like(clips.steps, torch.nan), labels=bits)
    again = PseudoLabeler.of(model.fdn, [blind], "clip").labels(blind)
    torch.testing.assert_close(again, strict, equal_nan=True)
    valid = clips.valid
    assert (strict[valid & (clips.labels[:, 2:] == 0)[:, None]] == 0).all()
    streams = PseudoLabeler.of(model.fdn, [clips], "streams").labels(clips)
    assert streams[~valid].isnan().all()
    assert (streams[valid & (clips.labels == 0)[:, None]] == 0).all()
    inside = streams[..., 0][clips.labels[:, 0] > 0]
    assert inside.isnan().any() and (inside == 0).any()


def test_a_second_stage_is_a_new_network_taught_by_the_first(model, clips):
    config = DiscoverConfig(labels="clip", pseudo=1, epochs=3, batch=3)
    log = train_fdn(model, InMemory(clips), InMemory(clips), config)
    assert ["pseudo" in entry for entry in log] == [False] * 3 + [True] * 3
    assert isinstance(model.fdn, FDN) and not model.fdn.training
    assert not any(p.requires_grad for p in model.mae.parameters())


def test_changed_clips_are_learnt_from_under_their_labels(tmp_path, monkeypatch):
    """Authentic and forged ones alike, without held-out kinds; what is usual is as it was."""
    truths = [
        ClipTruth(
            f"{split}/{change}-{forged}.mp4",
            split=split,
            change=change,
            labels={"visual": forged, "audio": False},
        )
        for split in ("train", "dev")
        for change in (None, "jump-cut", "cutaway")
        for forged in (False, True)
    ]
    write_lavdf(truths, tmp_path / "metadata.json")
    for truth in truths:
        path = cached_path(tmp_path, truth.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    statistics, learnt = Mock(), Mock(side_effect=KeyboardInterrupt)
    measured = lambda _, samples, *rest: EvidenceStore([s.path for s in samples])  # noqa: E731
    for name, stand_in in (
        ("load_checkpoint", lambda _: (RTDeepLoc(), Mock(sha256=""))),
        ("measure_clips", measured),
        ("set_statistics", statistics),
        ("train_fdn", learnt),
    ):
        monkeypatch.setattr(discover, name, stand_in)
    with pytest.raises(KeyboardInterrupt):
        discover.discover(tmp_path, tmp_path)
    _, clips, held_out, *_ = learnt.call_args.args
    for split, dataset in (("train", clips), ("dev", held_out)):
        assert {(s.annotation.change, s.annotation.forged) for s in dataset.samples} == {
            *((None, False), (None, True), ("jump-cut", False), ("jump-cut", True))
        }
        assert {sample.annotation.split for sample in dataset.samples} == {split}
    (path,) = statistics.call_args.args[1].paths
    assert path.name == "None-False.mp4.npz"
    monkeypatch.setattr(clips, "_read", lambda i: Mock(nbytes=0, seen=torch.zeros(1, 1), i=i))
    unchanged = clips.without_changes()
    unchanged._read = clips._read
    read = [clips.samples[unchanged[0, i].i].annotation.change for i in range(len(unchanged))]
    assert read == [None, None] and len(clips) == 4
