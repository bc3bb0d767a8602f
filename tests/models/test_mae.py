from dataclasses import replace

import pytest
import torch

from deeploc.models.mae import (
    MAE,
    MAEConfig,
    Patches,
    face_energies,
    hidden_streams,
    hidden_tubes,
    random_hidden,
    sound_energies,
)
from deeploc.models.rt_deeploc import TINY
from train.losses.reconstruction import reconstruction_loss


@pytest.fixture
def windows():
    generator = torch.Generator().manual_seed(0)
    faces = torch.randint(0, 255, (2, 16, 96, 96, 3), dtype=torch.uint8, generator=generator)
    return faces, torch.randn(2, 64, 90, generator=generator)


@pytest.fixture
def mae():
    torch.manual_seed(0)
    return MAE(TINY).eval()


def test_hidden_patches_do_not_reach_the_reconstruction_and_visible_ones_do(mae, windows):
    patches = mae.targets(*windows)
    hidden = hidden_tubes(TINY)[:1].expand(2, -1)
    before = mae(patches, hidden).faces
    removed, kept = hidden[0, : TINY.visual_patches], ~hidden[0, : TINY.visual_patches]
    for values in ("faces", "face_detail"):
        changed = getattr(patches, values).clone()
        changed[:, removed] += 1
        assert torch.equal(mae(replace(patches, **{values: changed}), hidden).faces, before)
        changed[:, kept] += 1
        other = mae(replace(patches, **{values: changed}), hidden).faces
        assert not torch.allclose(other, before)


def test_windows_of_one_batch_may_hide_different_amounts(mae, windows):
    patches = mae.targets(*windows)
    hidden = random_hidden(TINY, 2, torch.Generator().manual_seed(1))
    assert hidden[0].sum() != hidden[1].sum()
    together = mae(patches, hidden).faces
    for index in range(2):
        one = Patches(*(part[index : index + 1] for part in vars(patches).values()))
        alone = mae(one, hidden[index : index + 1]).faces
        torch.testing.assert_close(together[index], alone[0], atol=1e-5, rtol=1e-4)


def test_everything_hidden_is_still_finite(mae, windows):
    patches = mae.targets(*windows)
    nothing = torch.ones(2, TINY.visual_patches + TINY.audio_patches, dtype=torch.bool)
    assert mae(patches, nothing).faces.isfinite().all()


@pytest.mark.parametrize("config", [TINY, MAEConfig()])
def test_partitions_hide_every_patch_once(config):
    for partitions in (hidden_tubes(config), hidden_streams(config)):
        assert (partitions.sum(0) == 1).all()


def test_one_partition_hides_the_mouth_for_the_whole_window():
    faces = hidden_tubes(TINY)[:, : TINY.visual_patches].reshape(2, TINY.slots, 6, 6)
    mouth = faces[:, :, 4:6, 2:4].flatten(1)
    assert mouth.all(1).sum() == 1


def test_training_hides_about_half_and_sometimes_a_whole_stream():
    hidden = random_hidden(TINY, 2000, torch.Generator().manual_seed(0))
    picture, sound = hidden.split([TINY.visual_patches, TINY.audio_patches], dim=1)
    assert 0.5 < hidden.float().mean() < 0.62
    assert 0.1 < picture.all(1).float().mean() < 0.16
    assert 0.1 < sound.all(1).float().mean() < 0.25


def test_targets_are_patches_of_the_picture_and_the_sound(mae, windows):
    faces, mel = windows
    patches = mae.targets(faces, mel)
    slot, row, column = 3, 4, 2
    patch = patches.faces[1, slot * 36 + row * 6 + column, 1]
    expected = faces[1, 2 * slot + 1, 64:80, 32:48].float()
    torch.testing.assert_close((patch * 0.25 + 0.5) * 255, expected, atol=1e-3, rtol=0)
    torch.testing.assert_close(patches.sound[1, 3 * 10 + 2, 1], mel[1, 28:32, 16:24])
    torch.testing.assert_close(patches.sound_detail[1, 3 * 10 + 2, 1], mel[1, 28:32, 82].mean())


def test_bands_tell_blur_flicker_and_level_apart():
    flat = torch.zeros(1, 1, 2, 16, 16, 3)
    level, flicker, grain = flat + 1, flat.clone(), flat.clone()
    flicker[:, :, 1] = 1
    grain[:, :, :, ::2, ::2] = 1
    for patches, value, fine, change in ((level, 1, 0, 0), (flicker, 0, 0, 1), (grain, 0.25, 2, 0)):
        energies = face_energies(patches)[0, 0, 0]
        assert energies[0] == value
        assert (energies[1] > 1) == (fine > 1)
        assert energies[2] == change
    ramp = torch.arange(8.0).expand(1, 1, 2, 4, 8)
    assert torch.equal(sound_energies(ramp)[0, 0, 0, 1:], torch.zeros(2))


def test_detail_is_what_averaging_takes_away():
    mae = MAE(MAEConfig(crop=192, width=32, depth=1, heads=2, decoder_width=32, decoder_depth=1))
    blurred = torch.full((1, 16, 192, 192, 3), 100, dtype=torch.uint8)
    sharp = blurred.clone()
    sharp[:, 8:, 128::2, ::2] += 40
    sharp[:, 8:, 129::2, 1::2] += 40
    blurred[:, 8:, 128:] += 20
    mel = torch.zeros(1, 64, 90)
    one, other = mae.targets(sharp, mel), mae.targets(blurred, mel)
    torch.testing.assert_close(one.faces, other.faces)
    gap = (one.face_detail - other.face_detail).reshape(8, 36, 2)
    assert (gap[4:, 24:] > 1).all()
    assert torch.equal(gap[:4], torch.zeros(4, 36, 2))


def test_loss_counts_hidden_patches_only_and_spares_the_residual(mae, windows):
    patches = mae.targets(*windows)
    hidden = hidden_tubes(TINY)[:1].expand(2, -1)
    expected = mae(patches, hidden)
    scales = torch.ones(2, 3)
    before = reconstruction_loss(expected, patches, hidden, scales)
    seen = ~hidden[0, : TINY.visual_patches]
    expected.faces.data[:, seen] += 5
    after = reconstruction_loss(expected, patches, hidden, scales)
    assert before[0] == after[0]
    assert before[1] == after[1]
    after[1].backward()
    assert mae.faces_head.weight.grad is None
    assert mae.face_energy_head.weight.grad.abs().sum() > 0
