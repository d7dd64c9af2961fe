"""The experiment that compares learning rules begins with each rule as it is."""

from __future__ import annotations

from moosnn.snn.gene_names import RULES, defaults
from tests.helpers import load_space, load_yaml

# SLAYER has no penalty by default, and the space's scale is logarithmic.
NOT_ON_THE_SCALE = {("slayer", "activity_penalty"): 0.0001}


def test_the_first_points_are_the_defaults_of_all_rules() -> None:
    space = load_space("rules")
    points = load_yaml("experiment/rules")["study"]["enqueue"]
    assert [point["training"] for point in points] == list(
        space.parameters["training"].options
    )
    assert {point["training"] for point in points} == set(RULES)
    for point in points:
        rule = point["training"]
        assert set(point) == set(space.active(point))
        for gene, value in point.items():
            common = gene.removesuffix("_1").removesuffix("_2")
            default = defaults(rule)[common if common == "width" else gene]
            assert value == NOT_ON_THE_SCALE.get((rule, gene), default)
            assert value == space.parameters[gene].spell(value)
