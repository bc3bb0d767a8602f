"""What views show as the reconstruction is made of hidden patches alone."""

import numpy as np
import pytest
import torch

from deeploc.checkpoints import load_checkpoint
from deeploc.models.mae import Composite, Reconstruction, hidden_tubes


@pytest.fixture(scope="module")
def mae():
    return load_checkpoint("tiny")[0].mae


def window(mae, seed=0):
    c = mae.config
    rng = np.random.default_rng(seed)
    faces = rng.integers(0, 255, (2, c.window, c.crop, c.crop, 3), dtype=np.uint8)
    mel = rng.normal(-5, 2, (2, 4 * c.window, c.mel_bins + c.mel_rows)).astype(np.float32)
    return torch.from_numpy(faces), torch.from_numpy(mel)


def constant(patches, value):
    """A reconstruction of these patches that says `value` everywhere."""
    faces, sound = torch.full_like(patches.faces, value), torch.full_like(patches.sound, value)
    energy = torch.zeros(1)
    return Reconstruction(faces, sound, energy, energy)


def test_views_undo_the_cutting_into_patches(mae):
    faces, mel = window(mae)
    patches = mae.targets(faces, mel)
    whole = Composite()
    every = torch.ones(patches.faces.shape[1] + patches.sound.shape[1], dtype=torch.bool)
    whole.take(patches, every, Reconstruction(patches.faces, patches.sound, *[torch.zeros(1)] * 2))
    pictures, mels = mae.views(whole)
    side, by = mae.config.face, mae.config.crop // mae.config.face
    expected = faces.reshape(2, -1, side, by, side, by, 3).float().mean((3, 5))
    assert (pictures.float() - expected).abs().max() <= 0.51
    torch.testing.assert_close(mels, mel[..., : mae.config.mel_bins], atol=1e-4, rtol=1e-4)


def test_every_patch_is_from_the_pass_that_hid_it(mae):
    patches = mae.targets(*window(mae))
    first, second = hidden_tubes(mae.config)
    composite = Composite()
    for value, hidden in ((1.0, first), (2.0, second)):
        composite.take(patches, hidden, constant(patches.only(hidden), value))
    cut = patches.faces.shape[1]
    for part, found in ((slice(0, cut), composite.faces), (slice(cut, None), composite.sound)):
        assert set(found[:, first[part]].unique().tolist()) == {1.0}
        assert set(found[:, second[part]].unique().tolist()) == {2.0}


def test_a_patch_is_rebuilt_without_a_look_at_itself(mae):
    """Changing one patch of the face leaves its own reconstruction as it was."""
    faces, mel = window(mae)
    other = faces.clone()
    size = mae.config.crop // mae.config.cells
    other[:, :, :size, :size] = 255 - other[:, :, :size, :size]  # one tube: hidden in one pass
    kept = torch.ones(2, mae.config.window, dtype=torch.bool)
    model = load_checkpoint("tiny")[0]
    views = []
    for each in (faces, other):
        composite = Composite()
        with torch.inference_mode():
            model.measure_windows(each, mel, kept, kept, composite)
        views.append(model.mae.views(composite)[0].float())
    p, side = model.mae.config.patch, model.mae.config.face
    changed = (views[0] - views[1]).abs().amax((0, 1, 4))
    assert changed[:p, :p].max() == 0
    assert changed.reshape(side // p, p, side // p, p).amax((1, 3))[0, 2] > 0
