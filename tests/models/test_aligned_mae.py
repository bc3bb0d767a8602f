"""The aligned autoencoder: what it cuts, hides, asks for and keeps."""

import pytest
import torch

from deeploc.models.aligned_mae import (
    CELL,
    COARSE,
    EYE_PLACES,
    MOUTH,
    MOUTH_PLACES,
    PLACES,
    SIDE,
    AlignedConfig,
    AlignedMAE,
    cut_faces,
    partitions,
    paste_faces,
    streams,
    surprises,
)
from deeploc.models.hearing import LINEAR_BINS, MEL_BINS, Hearing

SMALL = AlignedConfig(width=32, depth=1, heads=2, decoder_width=32, decoder_depth=1)


@pytest.fixture
def mae():
    torch.manual_seed(0)
    return AlignedMAE(AlignedMAE.plain(SMALL)).eval()


@pytest.fixture
def patches(mae):
    torch.manual_seed(1)
    faces = torch.randint(0, 256, (2, 16, 3, SIDE, SIDE), dtype=torch.uint8)
    return mae.targets(faces, 0.1 * torch.randn(2, 16 * 640 + 512))


def test_places_cover_every_pixel_once():
    covered = torch.zeros(SIDE, SIDE)
    for top, left, side in PLACES:
        covered[top : top + side, left : left + side] += 1
    assert bool((covered == 1).all())


def test_the_mouth_is_where_its_places_are():
    cells = {(PLACES[i][0] // CELL, PLACES[i][1] // CELL) for i in MOUTH_PLACES}
    assert cells == set(MOUTH)
    assert len(PLACES) == COARSE + len(MOUTH_PLACES) + len(EYE_PLACES)


def test_patches_pasted_are_the_picture_again():
    torch.manual_seed(0)
    smooth = torch.randint(0, 256, (1, 16, 3, 6, 6)).float()
    faces = torch.nn.functional.interpolate(smooth.flatten(0, 1), SIDE, mode="bilinear")
    faces = faces.reshape(1, 16, 3, SIDE, SIDE).round().to(torch.uint8)
    values, _ = cut_faces(faces, SMALL.tubelet)
    back = paste_faces(values, SMALL)
    apart = (back.float() - faces.float()).abs()
    assert apart.mean() < 3
    for index in (*MOUTH_PLACES, *EYE_PLACES):
        top, left, side = PLACES[index]
        assert apart[..., top : top + side, left : left + side].max() < 1


def test_detail_is_larger_where_it_is_sharp():
    faces = torch.full((1, 16, 3, SIDE, SIDE), 100, dtype=torch.uint8)
    faces[..., 130:140, 60:70] = torch.randint(0, 256, (10, 10)).to(torch.uint8)
    _, detail = cut_faces(faces, SMALL.tubelet)
    one_slot = detail[0, : len(PLACES), 0]
    top, left, side = PLACES[int(one_slot.argmax())]
    assert top <= 140 and top + side >= 130 and left <= 70 and left + side >= 60


def test_partitions_hide_every_patch_once_and_the_mouth_as_a_whole():
    both = partitions(SMALL)
    assert bool((both.sum(0) == 1).all())
    mouth = both[0, list(MOUTH_PLACES)]
    assert bool(mouth.all()) or not bool(mouth.any())
    assert bool(both[0, MOUTH_PLACES.start] != both[0, EYE_PLACES.start])
    assert bool((streams(SMALL).sum(0) == 1).all())


def test_what_is_hidden_does_not_matter(mae, patches):
    hidden = partitions(SMALL)[0]
    visible = (~hidden).nonzero()[:, 0].expand(2, -1)
    asked = hidden[: SMALL.visual_patches].nonzero()[:, 0].expand(2, -1)
    tokens = mae.embed(patches)
    one = mae.decode(mae.encode(tokens, visible), asked, asked[:, :0])
    other = mae.decode(mae.encode(tokens + 5 * hidden[:, None], visible), asked, asked[:, :0])
    assert torch.equal(one.faces, other.faces)
    seen = mae.decode(mae.encode(tokens + 5 * ~hidden[:, None], visible), asked, asked[:, :0])
    assert not torch.allclose(one.faces, seen.faces)
    assert one.faces.shape == (2, asked.shape[1], 4, 3, 12, 12)
    assert one.sound.shape == (2, 0, 2, 4, 16)


def test_absent_patches_are_as_good_as_hidden(mae, patches):
    tokens = mae.embed(patches)
    visible = torch.arange(40).expand(2, -1)
    asked = torch.arange(100, 120).expand(2, -1)
    absent = visible >= 30
    one = mae.decode(mae.encode(tokens, visible, absent), asked, asked[:, :0], absent)
    other = mae.decode(mae.encode(tokens, visible[:, :30]), asked, asked[:, :0])
    assert torch.allclose(one.faces, other.faces, atol=1e-5)


def test_surprises_are_of_every_patch(mae, patches):
    with torch.inference_mode():
        picture, sound = surprises(mae, patches, partitions(SMALL))
    assert picture.shape == (2, SMALL.visual_patches, 4, 4)
    assert sound.shape == (2, SMALL.audio_patches, 2, 4)
    assert bool(picture.isfinite().all()) and bool((picture != 0).any(-1).all())


def test_saved_and_loaded_it_expects_the_same(mae, patches, tmp_path):
    mae.save_pretrained(tmp_path)
    again = AlignedMAE.from_pretrained(tmp_path).eval()
    assert again.config == SMALL
    with torch.inference_mode():
        for one, other in zip(
            surprises(mae, patches, partitions(SMALL)),
            surprises(again, patches, partitions(SMALL)),
            strict=True,
        ):
            assert torch.equal(one, other)


def test_a_tone_is_heard_in_its_bands():
    time = torch.arange(6400 + 512) / 16_000
    bands, flatness = Hearing()(torch.sin(2 * torch.pi * 6000 * time)[None])
    assert bands.shape == (1, 40, MEL_BINS + LINEAR_BINS)
    assert flatness.shape == (1, 40, 8)
    linear = bands[0, 20, MEL_BINS:]
    middle_hz = 1000 + 7000 * (int(linear.argmax()) + 1) / (LINEAR_BINS + 1)
    assert abs(middle_hz - 6000) < 200
    assert bool((flatness <= 1e-4).all())
