"""Symmetric contrast, minority, pseudo-labels, the objectives of MDP and CoLA, worked by hand."""

import math

import pytest
import torch

from train.losses.aicl import aicl_loss
from train.losses.baselines import borders, deviation_loss, hard_snippet_loss, p2s_loss
from train.losses.mil import minority_loss
from train.losses.pseudo_labels import authentic_gates, pseudo_labels, step_loss

T = 100
HERE = torch.ones(1, T, dtype=torch.bool)
FORGED, AUTHENTIC = torch.ones(1), torch.zeros(1)


def embedding(where=slice(40, 60)):
    """Steps of one direction, but those of `where`, which have another."""
    z = torch.zeros(1, T, 3)
    z[..., 0] = 1
    z[0, where] = torch.tensor([0.0, 1, 0])
    return z


def test_symmetric_contrast_draws_forged_steps_together_and_asymmetric_does_not():
    error = torch.zeros(1, T)
    error[0, 40:60] = 1
    apart, scattered = embedding(), embedding()
    scattered[0, 50:60] = torch.tensor([0.0, 0, 1])
    one, other = (
        {s: aicl_loss(z, error, HERE, FORGED > 0, symmetric=s).item() for s in (False, True)}
        for z in (apart, scattered)
    )
    assert other[False] == pytest.approx(one[False])
    assert other[True] > one[True] + 0.01
    authentic = aicl_loss(apart, error, HERE, AUTHENTIC > 0, symmetric=True)
    assert authentic == aicl_loss(apart, error, HERE, AUTHENTIC > 0)


def test_p2s_is_the_squared_distance_of_the_top_fifth_to_the_label():
    logits = torch.full((1, T), -9.0)
    logits[0, :20] = 1.5
    score = torch.sigmoid(torch.tensor(1.5)).item()
    assert p2s_loss(logits, HERE, FORGED).item() == pytest.approx((1 - score) ** 2)
    assert p2s_loss(logits, HERE, AUTHENTIC).item() == pytest.approx(score**2)
    half = HERE.clone()
    half[0, 50:] = False  # of 50 steps the top fifth are 10
    logits[0, 10:20] = -9
    assert p2s_loss(logits, half, FORGED).item() == pytest.approx((1 - score) ** 2)
    assert p2s_loss(logits, ~HERE, FORGED) == 0


def test_deviation_is_the_label_of_large_jumps_and_never_below_log_2_without_forgery():
    still, jumping = torch.ones(1, T, 4), torch.ones(1, T, 4)
    jumping[0, ::2] = -1  # every jump is 2 in every value: d = 4
    assert deviation_loss(still, HERE, AUTHENTIC).item() == pytest.approx(math.log(2))
    assert deviation_loss(jumping, HERE, AUTHENTIC).item() == pytest.approx(
        4 + math.log1p(math.exp(-4))
    )
    assert deviation_loss(jumping, HERE, FORGED).item() == pytest.approx(math.log1p(math.exp(-4)))
    absent = HERE.clone()
    absent[0, ::2] = False  # then no two neighbours are known
    assert deviation_loss(jumping, absent, FORGED) == 0


def test_borders_lie_just_inside_and_just_outside():
    on = torch.zeros(40, dtype=torch.bool)
    on[10:30] = True
    inner, outer = borders(on)
    assert not (inner & ~on).any() and not (outer & on).any()
    assert 1 <= inner[:20].sum() <= 3 and 1 <= inner[20:].sum() <= 3
    assert 1 <= outer[:10].sum() <= 3 and 1 <= outer[30:].sum() <= 3
    assert not any(side.any() for side in borders(torch.zeros(40, dtype=torch.bool)))


def test_cola_draws_borders_to_their_own_side():
    logits = torch.zeros(1, T)
    logits[0, 30:80] = 3
    logits = logits - (torch.arange(T) - 55).abs() / 50  # surest in the middle, and far from it
    sides = embedding(slice(30, 80))
    confused = sides.clone()
    confused[0, 29:35] = sides[0, :1]
    confused[0, 76:81] = sides[0, :1]
    confused[0, 24:30] = confused[0, 80:86] = torch.tensor([0.0, 1, 0])
    clear, wrong = (
        hard_snippet_loss(z, logits, HERE, FORGED > 0).item() for z in (sides, confused)
    )
    assert 0 <= clear < 0.01 < 1 < wrong
    assert hard_snippet_loss(confused, logits, HERE, AUTHENTIC > 0) == 0
    sides.requires_grad_(True)
    hard_snippet_loss(sides, logits.requires_grad_(True), HERE, FORGED > 0).backward()
    assert logits.grad is None and sides.grad.isfinite().all()


def test_minority_accuses_what_flags_more_than_half_of_a_clip():
    few, most = torch.full((1, T), -6.0), torch.full((1, T), 6.0)
    few[0, :40] = 6
    most[0, :40] = -6
    assert minority_loss(few, HERE).item() == pytest.approx(math.log1p(math.exp(-6)), rel=1e-4)
    mean = (40 * -6 + 10 * 6) / 50  # the lower half
    assert minority_loss(most, HERE).item() == pytest.approx(math.log1p(math.exp(mean)), rel=1e-4)
    assert minority_loss(most, HERE) > minority_loss(few, HERE)
    assert minority_loss(few, ~HERE) == 0


def test_gates_are_the_median_and_a_high_quantile():
    low, high = authentic_gates(torch.arange(101.0), high=0.9)
    assert (low, high) == pytest.approx((50, 90))


def test_pseudo_labels_are_given_only_inside_forged_clips_and_beyond_the_gates():
    scores = torch.tensor([[-2.0, 0, 2, 3], [-2, 0, 2, 3]])
    valid = torch.tensor([[True] * 4, [True, True, True, False]])
    forged = torch.tensor([True, False])
    found = pseudo_labels(scores, valid, forged, (-1.0, 1.0))
    expected = torch.tensor([[0, torch.nan, 1, 1], [0, 0, 0, torch.nan]])
    torch.testing.assert_close(found, expected, equal_nan=True)


def test_unknown_steps_cost_nothing():
    logits = torch.tensor([[5.0, -5, 0]], requires_grad=True)
    loss = step_loss(logits, torch.tensor([[1.0, torch.nan, 0]]))
    assert loss.item() == pytest.approx((math.log1p(math.exp(-5)) + math.log(2)) / 2)
    loss.backward()
    assert logits.grad[0, 1] == 0
    assert step_loss(logits, torch.full((1, 3), torch.nan)) == 0
