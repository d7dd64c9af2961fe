"""Rewiring, against the published updates by hand and the statistics of draws."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from scipy.stats import laplace

from moosnn.snn.learning.rewiring import (
    NEWBORN,
    DeepR,
    GradR,
    prior_centre,
    rewire,
    thin,
)

BETAS, EPSILON = (0.9, 0.999), 1e-8
RATE = 0.01
FIVE = [0.02, -0.03, 0.5, -0.6, 0.0]
# Of each step: up and down, and for the second weight first down and then far up.
GRADIENTS = [
    [1.0, -0.5, 0.2, 0.1, 0.3],
    [0.8, -0.9, -0.4, 0.0, -0.2],
    [0.5, -0.7, 0.1, 0.2, -0.6],
    [-2.0, 3.0, 0.3, -0.3, -0.9],
    [-4.0, 5.0, -0.2, 0.4, 0.5],
    [-6.0, 6.0, 0.2, 0.1, 0.7],
] + [[-6.0, 6.0, 0.2, 0.1, 0.7]] * 12


def parameter(values):
    return torch.nn.Parameter(torch.tensor(values, dtype=torch.float64))


def stepped(optimizer, weight, gradients):
    """The weight after each step."""
    for gradient in gradients:
        weight.grad = torch.as_tensor(gradient, dtype=weight.dtype)
        optimizer.step()
        yield weight.detach().clone()


def grad_r(weight, alpha, sparsity=0.95, rests=False, optimizer=torch.optim.Adam):
    inner = optimizer([weight], lr=RATE)
    rewire(inner, [weight], GradR(alpha=alpha, sparsity=sparsity, rests=rests))
    return inner


def published(alpha, sparsity):
    """Chen et al. 2021 with Adam, one weight after the other; weights of each step."""
    centre = math.log(2 * (1 - sparsity)) / alpha
    paths = []
    for k, start in enumerate(FIVE):
        sign, theta = (-1.0 if start < 0 else 1.0), abs(start)
        first = second = 0.0
        path = []
        for t, gradients in enumerate(GRADIENTS, 1):
            first = BETAS[0] * first + (1 - BETAS[0]) * gradients[k]
            second = BETAS[1] * second + (1 - BETAS[1]) * gradients[k] ** 2
            direction = (first / (1 - BETAS[0] ** t)) / (
                math.sqrt(second / (1 - BETAS[1] ** t)) + EPSILON
            )
            pull = alpha * float(np.sign(theta - centre))
            theta = theta - RATE * (sign * direction + pull)
            path.append(sign * max(theta, 0.0))
        paths.append(path)
    return np.array(paths).T


@pytest.mark.parametrize("alpha", [1e-3, 0.5, 30.0])
@pytest.mark.parametrize("sparsity", [0.5, 0.8, 0.95])
def test_grad_r_is_the_published_update_step_by_step(alpha, sparsity):
    weight = parameter(FIVE)
    optimizer = grad_r(weight, alpha, sparsity)
    ours = list(stepped(optimizer, weight, GRADIENTS))
    theirs = published(alpha, sparsity)
    assert np.allclose(torch.stack(ours), theirs, rtol=0, atol=1e-12)


def test_pruned_connections_grow_again_with_their_old_sign():
    weight = parameter(FIVE)
    path = torch.stack(list(stepped(grad_r(weight, 0.1), weight, GRADIENTS)))
    pruned = path == 0
    assert pruned[3, :2].all()
    assert path[-1, 0] > 0
    assert path[-1, 1] < 0


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.SGD])
def test_without_a_prior_it_is_the_optimizer_where_theta_is_above_0(optimizer):
    ours, theirs = parameter(FIVE), parameter(FIVE)
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0])
    both = zip(
        stepped(grad_r(ours, 1e-300, optimizer=optimizer), ours, GRADIENTS),
        stepped(optimizer([theirs], lr=RATE), theirs, GRADIENTS),
        strict=True,
    )
    for one, other in both:
        assert torch.equal(one, other.where(signs * other > 0, 0.0))


@pytest.mark.parametrize("sparsity", [0.5, 0.8, 0.95, 0.99])
@pytest.mark.parametrize("alpha", [1e-3, 0.3, 20.0])
def test_so_much_of_the_prior_is_pruned(alpha, sparsity):
    prior = laplace(loc=prior_centre(alpha, sparsity), scale=1 / alpha)
    assert prior.cdf(0.0) == pytest.approx(sparsity)


def test_a_prior_that_rests_pulls_until_so_many_of_all_are_pruned():
    """Two tensors, no gradient: theta falls by a tenth a step until three of four."""
    first, second = parameter([0.05, 0.15, 0.25]), parameter([0.95])
    optimizer = torch.optim.SGD([first, second], lr=0.1)
    rewire(optimizer, [first, second], GradR(alpha=1.0, sparsity=0.75, rests=True))
    for wanted in (
        [0.0, 0.05, 0.15, 0.85],
        [0.0, 0.0, 0.05, 0.75],
        [0.0, 0.0, 0.0, 0.65],
        [0.0, 0.0, 0.0, 0.65],
    ):
        for weight in (first, second):
            weight.grad = torch.zeros_like(weight)
        optimizer.step()
        assert [*first.tolist(), *second.tolist()] == pytest.approx(wanted)


def test_what_is_not_rewired_is_the_optimizers_alone():
    weight, bias, alone = (parameter(FIVE) for _ in range(3))
    optimizer = torch.optim.Adam([weight, bias], lr=RATE)
    rewire(optimizer, [weight], GradR(alpha=0.5, sparsity=0.9, rests=False))
    bare = torch.optim.Adam([alone], lr=RATE)
    for gradient in GRADIENTS:
        for one in (weight, bias, alone):
            one.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        bare.step()
    assert torch.equal(bias, alone)
    assert not torch.equal(weight, alone)


def test_a_weight_without_a_gradient_stays_and_is_rewired_later():
    weight, used = parameter(FIVE), parameter(FIVE)
    optimizer = torch.optim.Adam([weight, used], lr=RATE)
    both = [weight, used]
    rewire(optimizer, both, GradR(alpha=0.5, sparsity=0.9, rests=False))
    used.grad = torch.ones_like(used)
    optimizer.step()
    assert weight.tolist() == FIVE
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    assert weight.tolist()[2] == pytest.approx(0.5 - 1.5 * RATE)


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_an_optimizers_state_holds_what_is_hidden_bit_for_bit(steps):
    whole, again = parameter(FIVE), parameter(FIVE)
    optimizer, second = grad_r(whole, 0.5), grad_r(again, 0.5)
    list(stepped(optimizer, whole, GRADIENTS[:steps]))
    with torch.no_grad():
        again.copy_(whole)
    groups = second.state_dict()["param_groups"]
    state = copy.deepcopy(optimizer.state_dict()["state"])
    second.load_state_dict({"state": state, "param_groups": groups})
    ends = (
        list(stepped(o, w, GRADIENTS[steps:]))[-1]
        for o, w in ((optimizer, whole), (second, again))
    )
    assert torch.equal(*ends)


def deep_r(weight, alpha=0.1, temperature=0.0, seed=0, optimizer=torch.optim.SGD):
    inner = optimizer([weight], lr=RATE)
    generator = torch.Generator().manual_seed(seed)
    rule = DeepR(alpha=alpha, temperature=temperature, generator=generator)
    rewire(inner, [weight], rule)
    return inner


def test_deep_r_is_the_published_update_where_no_connection_is_lost():
    weight = parameter([0.5, 0.0, -0.7, 0.0])
    gradient = [1.0, 9.0, 2.0, -9.0]
    (after,) = stepped(deep_r(weight), weight, [gradient])
    # -lr g, and -lr alpha towards 0; what is not there stays away whatever its gradient
    wanted = [0.5 - 0.01 - 0.001, 0.0, -0.7 - 0.02 + 0.001, 0.0]
    assert after.tolist() == pytest.approx(wanted)


def test_deep_r_keeps_the_number_of_connections_and_nothing_else_is_there():
    generator = torch.Generator().manual_seed(1)
    weight = torch.nn.Parameter(torch.randn(20, 30, generator=generator) * 0.05)
    thin([weight], 0.9, generator)
    first = weight != 0
    optimizer = deep_r(weight, temperature=1e-3, optimizer=torch.optim.Adam)
    gradients = [torch.randn(20, 30, generator=generator) for _ in range(100)]
    for after in stepped(optimizer, weight, gradients):
        assert int((after != 0).sum()) == 60
    assert not torch.equal(weight != 0, first)


def test_deep_r_draws_uniformly_from_what_is_not_there_with_either_sign():
    """Each step the one connection that is there is lost: 900 draws from 6."""
    weight = parameter([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    optimizer = deep_r(weight, alpha=1000.0)
    path = torch.stack(list(stepped(optimizer, weight, [[0.0] * 6] * 900)))
    counts = (path != 0).sum(0)
    assert set(path.abs().unique().tolist()) == {0.0, NEWBORN}
    deviation = math.sqrt(900 / 6 * 5 / 6)
    assert (counts - 150).abs().max() < 4 * deviation
    assert abs(path.sign().sum()) < 4 * math.sqrt(900)


def test_the_noise_of_deep_r_has_the_published_moments():
    weight = parameter([10.0] * 20_000)
    optimizer = deep_r(weight, alpha=2.0, temperature=0.3)
    (after,) = stepped(optimizer, weight, [[0.0] * 20_000])
    moved = after - 10.0
    spread = math.sqrt(2 * RATE * 0.3)
    assert float(moved.mean()) == pytest.approx(-RATE * 2.0, abs=4 * spread / 141)
    assert float(moved.std()) == pytest.approx(spread, rel=0.02)


def test_a_connection_that_was_drawn_learns():
    weight = parameter([0.0, NEWBORN, -NEWBORN])
    optimizer = deep_r(weight, alpha=0.1)
    list(stepped(optimizer, weight, [[0.0, -1.0, 1.0]] * 10))
    assert weight.tolist()[1:] == pytest.approx([0.09, -0.09])


@pytest.mark.parametrize(("sparsity", "kept"), [(0.5, 6), (0.9, 1), (0.999, 1)])
def test_what_is_thinned_keeps_its_share_and_its_variance(sparsity, kept):
    weight = parameter([[2.0, -2.0, 2.0], [-2.0, 2.0, 2.0]] * 2)
    before = weight.detach().clone()
    thin([weight], sparsity, torch.Generator().manual_seed(0))
    after = weight.detach()
    there = after != 0
    assert int(there.sum()) == kept
    assert torch.equal(after.sign()[there], before.sign()[there])
    assert float(after.square().mean()) == pytest.approx(4.0)


@pytest.mark.parametrize("wrapped", [grad_r, deep_r])
def test_what_is_not_a_number_is_not_pruned(wrapped):
    """A training that leaves the finite numbers has to be seen to."""
    weight = parameter([0.5, -0.5])
    (after,) = stepped(wrapped(weight, alpha=0.1), weight, [[float("nan"), 0.0]])
    assert after[0].isnan()
    assert after[1].isfinite()
