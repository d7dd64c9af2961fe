"""Cells, drawn by hand."""

from __future__ import annotations

import itertools

import pytest

from moosnn.errors import ArchitectureError
from moosnn.snn.architectures.cell import BACKWARD, FORWARD
from tests.snn.built import blueprint, drawn

IMAGE = (1, 8, 8)
NONE = {f"edge_{i}{j}": "zero" for i, j in FORWARD}


def cell(**edges):
    return {"architecture": "cell", "cells": 1, "cell_channels": 4, **NONE, **edges}


def test_one_edge_is_two_nodes():
    assert drawn(IMAGE, **cell(edge_14="conv_3")) == [
        "conv_1 < input",
        "neurons_1 < conv_1",
        "conv_2 < neurons_1",
        "neurons_2 < conv_2",
    ]


def test_each_operation_and_a_sum_of_edges():
    edges = {"edge_12": "conv_1", "edge_13": "skip", "edge_23": "average_3"}
    assert drawn(IMAGE, **cell(**edges, edge_34="conv_3")) == [
        "conv_1 < input",
        "neurons_1 < conv_1",
        "conv_2 < neurons_1",
        "neurons_2 < conv_2",
        "pool_1 < neurons_2",
        "sum_1 < neurons_1 pool_1",
        "neurons_3 < sum_1",
        "conv_3 < neurons_3",
        "neurons_4 < conv_3",
    ]


def test_a_way_back_is_a_step_late_and_shared():
    edges = {"edge_12": "conv_1", "edge_24": "conv_1"}
    back = {"back_41": "conv_3", "back_42": "skip"}
    assert drawn(IMAGE, **cell(**edges, **back)) == [
        "conv_1 < input",
        "delay_1 < neurons_3",
        "conv_2 < delay_1",
        "sum_1 < conv_1 conv_2",
        "neurons_1 < sum_1",
        "conv_3 < neurons_1",
        "sum_2 < conv_3 delay_1",
        "neurons_2 < sum_2",
        "conv_4 < neurons_2",
        "neurons_3 < conv_4",
    ]


def test_nodes_that_lead_nowhere_are_left_out_with_their_ways_back():
    plain = drawn(IMAGE, **cell(edge_14="conv_3"))
    # 2 is heard by nobody, 3 hears nobody.
    loose = cell(edge_14="conv_3", edge_12="conv_3", edge_34="conv_1", back_43="skip")
    assert drawn(IMAGE, **loose) == plain
    assert drawn(IMAGE, **cell(edge_14="conv_3", back_21="conv_1")) == plain


def test_a_cell_without_a_way_through_is_refused():
    for edges in ({}, {"edge_12": "skip", "edge_34": "skip"}, {"back_41": "skip"}):
        with pytest.raises(ArchitectureError, match="no path from the cell's first"):
            blueprint(IMAGE, **cell(**edges))


@pytest.mark.parametrize("seed", range(4))
def test_exactly_the_cells_with_a_forward_path_are_drawn(seed):
    """Of all 64 patterns of forward edges, by following them."""
    for pattern in list(itertools.product((False, True), repeat=6))[seed::4]:
        on = {e for e, there in zip(FORWARD, pattern, strict=True) if there}
        ways = [(1, 4), (1, 2, 4), (1, 3, 4), (1, 2, 3, 4)]
        whole = [w for w in ways if on >= set(itertools.pairwise(w))]
        edges = {f"edge_{i}{j}": "conv_1" for i, j in on}
        edges |= {f"back_{j}{i}": "skip" for j, i in BACKWARD}
        if not whole:
            with pytest.raises(ArchitectureError):
                blueprint(IMAGE, **cell(**edges))
            continue
        nodes = set().union(*whole)
        plan = blueprint(IMAGE, **cell(**edges))
        assert len(plan.layers) == len(nodes)
        used = sum(nodes >= {i, j} for i, j in on)
        assert sum(n.name.startswith("conv") for n in plan.nodes) == 1 + used


def test_cells_halve_the_image_and_double_the_channels():
    plan = blueprint(IMAGE, **{**cell(edge_14="conv_3"), "cells": 3})
    assert [n.shape for n in plan.layers] == [
        *[(4, 8, 8)] * 2,
        *[(8, 4, 4)] * 2,
        *[(16, 2, 2)] * 2,
    ]
