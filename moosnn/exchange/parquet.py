"""A table as a Parquet file, each column with its own type.

Knows: pyarrow. Must not know: trials, studies. pyarrow is imported when a file is
written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from moosnn.errors import ConfigError
from moosnn.exchange.new_file import new_file

# Under this key the file's metadata has what the table is about, as JSON.
METADATA = "moosnn"


def write_parquet(
    path: Path,
    columns: Sequence[tuple[str, str, Sequence[object]]],
    about: Mapping[str, Any],
) -> None:
    """Write a table.

    Args:
        path: a new file.
        columns: name, kind and values of each; the kinds are ``int``, ``float``,
            ``bool``, ``text`` and ``word`` (text of few different values, stored as a
            dictionary); ``None`` is a missing value.
        about: JSON values for the metadata.

    Raises:
        ConfigError: pyarrow is not installed, or there is something at ``path``.
        StudyFolderError: it cannot be written.
    """
    try:
        pa, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise ConfigError(
            f"parquet: expected the package pyarrow, got {error}; "
            "pip install 'moosnn[parquet]'."
        ) from None
    types = {
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "text": pa.string(),
        "word": pa.dictionary(pa.int32(), pa.string()),
    }
    fields, arrays = [], []
    for name, kind, values in columns:
        is_text = kind in ("text", "word")
        spelled = [None if v is None else str(v) for v in values] if is_text else values
        arrays.append(pa.array(spelled, types[kind]))
        fields.append(pa.field(name, types[kind]))
    told = {METADATA: json.dumps(about, allow_nan=False)}
    table = pa.table(arrays, schema=pa.schema(fields, metadata=told))
    with new_file(path) as draft:
        parquet.write_table(table, draft)
