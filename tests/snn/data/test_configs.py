"""conf/data: each file makes its source, and lists all that can be set."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest
import yaml

from moosnn.configs import choices, config_folder
from moosnn.errors import DataError
from moosnn.snn.data import Description

GIVEN = {"downsample": 4}  # where the file's value is not the constructor's


def content(name: str) -> dict[str, Any]:
    text = (config_folder() / "data" / f"{name}.yaml").read_text()
    assert text.startswith("# ")
    return dict(yaml.safe_load(text))


def target(config: dict[str, Any]) -> Any:
    module, _, name = config.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("name", choices("data"))
def test_a_file_lists_the_constructor_s_parameters_and_defaults(name: str) -> None:
    config = content(name)
    made = target(config)
    parameters = inspect.signature(made).parameters.values()
    defaults = {parameter.name: parameter.default for parameter in parameters}
    if name == "dvs_gesture":
        defaults |= GIVEN
    if name == "fashion_mnist":
        defaults |= {"name": name}
    assert config == defaults


@pytest.mark.parametrize("name", choices("data"))
def test_a_source_is_made_without_looking_at_files(name: str) -> None:
    config = content(name)
    source = target(config)(**config)
    if "root" in config:
        with pytest.raises(
            DataError, match=r"^data\.root: expected .* set data\.root="
        ):
            source.describe()
    else:
        assert isinstance(source.describe(), Description)
        assert source.describe().name == name
