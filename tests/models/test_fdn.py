from dataclasses import replace

import pytest
import torch

from deeploc.models.fdn import (
    FACE_ZONES,
    FDN,
    SOUND_ZONES,
    FDNConfig,
    lines_input,
    picture_input,
    relative_to_usual,
    sound_input,
)
from train.losses.aicl import aicl_loss
from train.losses.mil import candidates, clip_logits, mil_loss, noisy_or_loss
from train.losses.mtlr import mtlr_loss

T = 100


@pytest.fixture
def fdn():
    torch.manual_seed(0)
    return FDN(FDNConfig(visual=12, audio=6)).eval()


def clip(steps=T):
    generator = torch.Generator().manual_seed(1)
    here = torch.ones(1, steps, dtype=torch.bool)
    shapes = (1, steps, 24), (1, steps, 12), (1, steps, 6)
    return *(torch.randn(shape, generator=generator) for shape in shapes), here, here.clone()


def test_a_constant_offset_of_the_clip_changes_nothing():
    visual, *_, seen, _ = clip()
    seen[:, 60:] = False
    before = relative_to_usual(visual, seen)
    torch.testing.assert_close(relative_to_usual(visual + 3, seen), before, atol=1e-5, rtol=1e-5)
    visual[:, 60:] = torch.nan
    assert torch.equal(relative_to_usual(visual, seen), before)
    assert (before[:, 60:] == 0).all()


def test_padding_and_unseen_steps_do_not_reach_the_others(fdn):
    visual, audio, lines, seen, heard = clip()
    seen[:, 60:] = heard[:, 60:] = False
    before = fdn(visual, audio, lines, seen, heard).logits[:, :60]
    visual[:, 60:] = 7
    audio[:, 60:] = lines[:, 60:] = 100
    after = fdn(visual, audio, lines, seen, heard).logits[:, :60]
    torch.testing.assert_close(after, before)
    alone = fdn(*(part[:, :60] for part in (visual, audio, lines, seen, heard))).logits
    torch.testing.assert_close(alone, before, atol=1e-5, rtol=1e-5)


def test_a_hum_that_lasts_tells_nothing_and_no_frame_rate_is_special(fdn):
    visual, audio, lines, seen, heard = clip()
    heard[:, 60:] = False
    before = lines_input(lines, heard)
    hum = torch.tensor([0.0, 5, 0, 0, -1, 2])
    torch.testing.assert_close(lines_input(lines + hum, heard), before, atol=1e-5, rtol=1e-5)
    assert not before[:, 60:].any()
    logits = fdn(visual, audio, before, seen, heard).logits
    other = fdn(visual, audio, before[..., [3, 5, 0, 1, 4, 2]], seen, heard).logits
    torch.testing.assert_close(other, logits)


def test_streams_do_not_leak_into_each_other(fdn):
    visual, audio, lines, seen, heard = clip()
    before = fdn(visual, audio, lines, seen, heard).logits
    for sound in ((audio * 2, lines), (audio, lines * 2)):
        after = fdn(visual, *sound, seen, heard).logits
        assert torch.equal(before[..., 0], after[..., 0])
        assert not torch.allclose(before[..., 1], after[..., 1])
        assert not torch.allclose(before[..., 2], after[..., 2])


def test_deviations_count_in_both_directions():
    x = torch.zeros(1, 5, 1)
    x[0, 1], x[0, 3] = 2, -2
    relative = relative_to_usual(x, torch.ones(1, 5, dtype=torch.bool))
    assert relative[0, :, 0].tolist() == [0, 2, 0, -2, 0]
    assert relative[0, :, 1].tolist() == [0, 2, 0, 2, 0]


def test_clip_logit_is_the_mean_of_the_top_steps_whatever_the_length():
    logits = torch.full((1, 400), -5.0)
    logits[0, 50:70] = 3
    for length in (100, 400):
        valid = torch.ones(1, length, dtype=torch.bool)
        assert clip_logits(logits[:, :length], valid).item() == pytest.approx(3)
    valid = torch.ones(1, 400, dtype=torch.bool)
    valid[0, 50:70] = False
    assert clip_logits(logits, valid).item() == pytest.approx(-5)


def test_mil_ignores_clips_without_a_valid_step():
    logits = torch.zeros(2, 30, requires_grad=True)
    valid = torch.ones(2, 30, dtype=torch.bool)
    valid[1] = False
    alone = mil_loss(logits[:1], valid[:1], torch.ones(1))
    assert mil_loss(logits, valid, torch.tensor([1.0, 0.0])) == alone
    mil_loss(logits, ~valid[:1].expand(2, -1), torch.ones(2)).backward()
    assert logits.grad.abs().sum() == 0


def test_noisy_or_of_one_stream_is_mil():
    torch.manual_seed(0)
    logits, labels = torch.randn(4, 30, 1), torch.tensor([1.0, 0, 1, 0])
    valid = torch.rand(4, 30, 1) > 0.2
    expected = mil_loss(logits[..., 0], valid[..., 0], labels)
    torch.testing.assert_close(noisy_or_loss(logits, valid, labels), expected)
    beside = torch.cat([logits, torch.full_like(logits, 9)], dim=-1)
    absent = torch.cat([valid, torch.zeros_like(valid)], dim=-1)
    torch.testing.assert_close(noisy_or_loss(beside, absent, labels), expected)


def test_noisy_or_blames_one_stream_for_a_forged_clip_and_neither_for_an_authentic_one():
    valid = torch.ones(1, 30, 2, dtype=torch.bool)
    found = torch.tensor([6.0, -6]).expand(1, 30, 2).clone().requires_grad_()
    for label, reached in ((1.0, False), (0.0, True)):
        found.grad = None
        noisy_or_loss(found, valid, torch.tensor([label])).backward()
        assert (found.grad[..., 1].abs().sum() > 1e-3) == reached
    neither = torch.full((1, 30, 2), -40.0, requires_grad=True)
    noisy_or_loss(neither, valid, torch.ones(1)).backward()
    assert neither.grad.sum() == pytest.approx(-1, abs=1e-3)
    noisy_or_loss(found, ~valid, torch.ones(1)).backward()


def test_candidates_leave_out_low_cues_of_what_may_be_forged():
    cues = torch.arange(8.0).reshape(1, 8, 1).expand(2, 8, 2)
    valid = torch.ones(2, 8, 2, dtype=torch.bool)
    valid[:, 6:, 1] = False
    forged = torch.tensor([[True, True], [True, False]])
    left = candidates(cues, valid, forged, 0.5)
    assert left[0, :, 0].tolist() == [False] * 4 + [True] * 4
    assert left[0, :, 1].tolist() == [False] * 3 + [True] * 3 + [False] * 2
    assert torch.equal(left[1, :, 0], left[0, :, 0])
    assert torch.equal(left[1, :, 1], valid[1, :, 1])
    assert torch.equal(candidates(cues, valid, forged, 0), valid)


def aicl(embedding, error, forged=True):
    valid = torch.ones(1, T, dtype=torch.bool)
    return aicl_loss(embedding, error, valid, torch.tensor([forged]))


def test_aicl_prefers_surprising_steps_apart_and_never_draws_them_together():
    error = torch.zeros(1, T)
    error[0, 40:60] = 1
    mixed = torch.zeros(1, T, 3)
    mixed[..., 0] = 1
    apart = mixed.clone()
    apart[0, 40:60] = torch.tensor([0.0, 1, 0])
    scattered = apart.clone()
    scattered[0, 50:60] = torch.tensor([0.0, 0, 1])
    assert aicl(apart, error) < aicl(mixed, error)
    assert aicl(scattered, error) == pytest.approx(aicl(apart, error).item())


def test_aicl_of_an_authentic_clip_is_compactness_alone():
    error = torch.zeros(1, T)
    compact = torch.ones(1, T, 3)
    torch.manual_seed(0)
    assert aicl(compact, error, forged=False).item() == pytest.approx(0, abs=1e-5)
    assert aicl(torch.randn(1, T, 3), error, forged=False) > 0.5


def test_mtlr_is_zero_when_the_fused_score_is_the_larger_stream_score():
    logits = torch.zeros(1, 10, 3)
    logits[..., 0], logits[..., 1], logits[..., 2] = 2, -1, 2
    here = torch.ones(1, 10, dtype=torch.bool)
    assert mtlr_loss(logits, here, here) == 0
    assert mtlr_loss(logits, ~here, here) > 0.1


def test_a_step_is_forged_if_either_stream_is(fdn):
    logits = torch.tensor([[[2.0, -1, 9], [-3, 1, -9], [4, 1, 0]]])
    seen, heard = (torch.tensor([flags]) for flags in ([True, True, False], [True, True, True]))
    scores = fdn.scores(logits, seen, heard)
    assert torch.equal(scores[..., :2], logits[..., :2].sigmoid())
    assert torch.equal(scores[0, :, 2], torch.tensor([2.0, 1, 1]).sigmoid())
    fdn.set_scale(1, -3, -1)
    scaled = fdn.scores(logits, seen, heard)
    assert torch.equal(scaled[..., 1], ((logits[..., 1] + 1) / 2).sigmoid())
    assert torch.equal(scaled[0, 1:, 2], scaled[0, 1:, 1])
    single = FDN(replace(fdn.config, one_head=True)).scores(logits, seen, heard)
    assert torch.equal(single, logits[..., 2:].sigmoid().expand(1, 3, 3))


def test_zones_are_means_over_parts_of_the_face():
    assert ((FACE_ZONES > 0).sum(0) == 1).all()
    torch.testing.assert_close(FACE_ZONES.sum(1), torch.ones(5))
    mouth = torch.zeros(1, 5, 6, 6, 1)
    mouth[0, 3, 4:, 1:5] = 2
    found = picture_input(mouth.flatten(2, 3), torch.ones(1, 5, dtype=torch.bool))
    assert found[0, 3].tolist() == [0, 0, 0, 0, 2] * 2 + [0] * 18  # nothing is around it
    assert not found[0, [0, 1, 2, 4]].any()


def test_what_is_around_the_face_is_an_input_relative_to_its_scene():
    here = torch.ones(1, 6, dtype=torch.bool)
    surroundings = torch.zeros(1, 6, 2, 4)
    surroundings[0, 2, 1, 3] = -1.5
    surroundings[0, 5, 0] = torch.nan
    around = picture_input(torch.zeros(1, 6, 36, 1), here, None, surroundings)[0, :, 10:]
    assert around[2].tolist() == [*[0] * 7, -1.5, *[0] * 7, 1.5, 1, 1]
    assert around[5, :16].tolist() == [0] * 16 and around[5, 16:].tolist() == [0, 1]
    config = FDNConfig(visual=5, audio=3, values=1, content=1, surroundings=True)
    assert FDN(config).visual.embed.in_features == 10 + 18
    assert FDN(replace(config, surroundings=False)).visual.embed.in_features == 10


def test_rows_of_the_mel_are_taken_in_three_bands():
    assert ((SOUND_ZONES > 0).sum(0) == 1).all()
    sound = torch.zeros(1, 5, 10, 1)
    sound[0, 2, 3:7, 0] = torch.tensor([1.0, 3.0, 0.0, 4.0])
    found = sound_input(sound, torch.ones(1, 5, dtype=torch.bool))
    assert found[0, 2].tolist() == [0, 2, 0] * 2
