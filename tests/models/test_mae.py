import pytest
import torch

from deeploc.losses import reconstruction_loss
from deeploc.models.mae import (
    MAE,
    MAEConfig,
    face_energies,
    hidden_streams,
    hidden_tubes,
    random_hidden,
    sound_energies,
)
from deeploc.models.rt_deeploc import TINY


@pytest.fixture
def windows():
    generator = torch.Generator().manual_seed(0)
    faces = torch.randint(0, 255, (2, 16, 96, 96, 3), dtype=torch.uint8, generator=generator)
    return faces, torch.randn(2, 64, 80, generator=generator)


@pytest.fixture
def mae():
    torch.manual_seed(0)
    return MAE(TINY).eval()


def test_hidden_patches_do_not_reach_the_reconstruction_and_visible_ones_do(mae, windows):
    picture, sound = mae.targets(*windows)
    hidden = hidden_tubes(TINY)[:1].expand(2, -1)
    before = mae(picture, sound, hidden).faces
    removed, kept = hidden[0, : TINY.visual_patches], ~hidden[0, : TINY.visual_patches]
    changed = picture.clone()
    changed[:, removed] += 1
    assert torch.equal(mae(changed, sound, hidden).faces, before)
    changed = picture.clone()
    changed[:, kept] += 1
    assert not torch.allclose(mae(changed, sound, hidden).faces, before)


def test_windows_of_one_batch_may_hide_different_amounts(mae, windows):
    picture, sound = mae.targets(*windows)
    hidden = random_hidden(TINY, 2, torch.Generator().manual_seed(1))
    assert hidden[0].sum() != hidden[1].sum()
    together = mae(picture, sound, hidden).faces
    for index in range(2):
        alone = mae(*(x[index : index + 1] for x in (picture, sound, hidden))).faces
        torch.testing.assert_close(together[index], alone[0], atol=1e-5, rtol=1e-4)


def test_everything_hidden_is_still_finite(mae, windows):
    picture, sound = mae.targets(*windows)
    nothing = torch.ones(2, TINY.visual_patches + TINY.audio_patches, dtype=torch.bool)
    assert mae(picture, sound, nothing).faces.isfinite().all()


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
    picture, sound = mae.targets(faces, mel)
    slot, row, column = 3, 4, 2
    patch = picture[1, slot * 36 + row * 6 + column, 1]
    expected = faces[1, 2 * slot + 1, 64:80, 32:48].float()
    torch.testing.assert_close((patch * 0.25 + 0.5) * 255, expected, atol=1e-3, rtol=0)
    torch.testing.assert_close(sound[1, 3 * 10 + 2, 1], mel[1, 28:32, 16:24])


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


def test_loss_counts_hidden_patches_only_and_spares_the_residual(mae, windows):
    picture, sound = mae.targets(*windows)
    hidden = hidden_tubes(TINY)[:1].expand(2, -1)
    expected = mae(picture, sound, hidden)
    scales = torch.ones(2, 3)
    before = reconstruction_loss(expected, picture, sound, hidden, scales)
    seen = ~hidden[0, : TINY.visual_patches]
    expected.faces.data[:, seen] += 5
    after = reconstruction_loss(expected, picture, sound, hidden, scales)
    assert before[0] == after[0]
    assert before[1] == after[1]
    after[1].backward()
    assert mae.faces_head.weight.grad is None
    assert mae.face_energy_head.weight.grad.abs().sum() > 0
