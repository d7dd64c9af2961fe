"""The experiments that compare learning rules begin with each rule as it is."""

from __future__ import annotations

import pytest

from moosnn.snn.gene_names import defaults
from tests.helpers import load_space, load_yaml

COMPARED = {
    "rules": ["bptt", "ssgd", "slayer", "hybrid", "stdp"],
    "chip": ["bptt", "ssgd", "hybrid", "grad_r", "eprop"],
}
# SLAYER has no penalty by default, and the space's scale is logarithmic.
NOT_ON_THE_SCALE = {("slayer", "activity_penalty"): 0.0001}


@pytest.mark.parametrize("experiment", COMPARED)
def test_the_first_points_are_the_defaults_of_all_rules(experiment: str) -> None:
    space = load_space(experiment)
    points = load_yaml(f"experiment/{experiment}")["study"]["enqueue"]
    assert list(space.parameters["training"].options) == COMPARED[experiment]
    assert [point["training"] for point in points] == COMPARED[experiment]
    for point in points:
        rule = point["training"]
        assert set(point) == set(space.active(point))
        for gene, value in point.items():
            common = gene.removesuffix("_1").removesuffix("_2")
            default = defaults(rule)[common if common == "width" else gene]
            assert value == NOT_ON_THE_SCALE.get((rule, gene), default)
            assert value == space.parameters[gene].spell(value)
