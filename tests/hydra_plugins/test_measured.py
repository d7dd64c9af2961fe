"""What an app returned: a measurement, or why it is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hydra_plugins.moosnn_sweeper._task import measured
from moosnn.errors import ConfigError, DivergedError

ONE, TWO = ("loss",), ("loss", "cost")


@pytest.mark.parametrize(
    ("returned", "metrics", "expected"),
    [
        (0.5, ONE, {"loss": 0.5}),
        (1, ONE, {"loss": 1.0}),
        (np.float32(0.5), ONE, {"loss": 0.5}),
        (torch.tensor(0.5), ONE, {"loss": 0.5}),
        (np.array([0.5]), ONE, {"loss": 0.5}),
        ([0.5], ONE, {"loss": 0.5}),
        ((0.5, 2), TWO, {"loss": 0.5, "cost": 2.0}),
        (torch.tensor([0.5, 2.0]), TWO, {"loss": 0.5, "cost": 2.0}),
        ([np.int64(1), torch.tensor(2.0)], TWO, {"loss": 1.0, "cost": 2.0}),
        ({"cost": 2, "loss": torch.tensor(0.5)}, TWO, {"loss": 0.5, "cost": 2.0}),
        (
            {"loss": 0.5, "other": 3, "name": "x", "bad": float("nan"), "on": True},
            ONE,
            {"loss": 0.5, "other": 3.0},
        ),
    ],
)
def test_numbers_become_metrics(returned, metrics, expected):
    assert measured(returned, metrics) == expected


@pytest.mark.parametrize(
    ("returned", "metrics", "message"),
    [
        (
            None,
            ONE,
            "expected {'loss': …} or a number from the app's function, got None",
        ),
        ("0.5", ONE, "got loss: '0.5'"),
        (True, ONE, "got loss: True"),
        ((1.0, 2.0), ONE, "got (1.0, 2.0)"),
        (0.5, TWO, "or 2 numbers (loss, cost) from the app's function, got 0.5"),
        ((1.0, 2.0, 3.0), TWO, "got (1.0, 2.0, 3.0)"),
        ((1.0, None), TWO, "got cost: None"),
        ({"loss": 1.0}, TWO, "got a mapping without 'cost'"),
        ({"loss": "high", "cost": 1}, TWO, "got loss: 'high'"),
        ({"loss": [1, 2]}, ONE, "got loss: [1, 2]"),
    ],
)
def test_anything_else_is_said_in_one_line(returned, metrics, message):
    with pytest.raises(ConfigError) as error:
        measured(returned, metrics)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400])
@pytest.mark.parametrize("form", [lambda v: v, lambda v: (v,), lambda v: {"loss": v}])
def test_what_is_not_finite_has_diverged(value, form):
    with pytest.raises(DivergedError, match=r"loss is (nan|inf)"):
        measured(form(value), ONE)
