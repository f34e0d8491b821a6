"""Make Parquet files for tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet
from tars import jpeg


def write_parquet(path: Path, count: int = 3, group: int = 2, **columns: Sequence[Any]) -> Path:
    """Write a Parquet file with images and labels, in the form of Hugging Face.

    Args:
        path: The file.
        count: The number of rows.
        group: The number of rows in a row group.
        columns: Columns that replace ``image`` and ``label`` or are added to them.
    """
    images = [{"bytes": jpeg(number), "path": f"{number}.jpg"} for number in range(count)]
    table = pyarrow.table({"image": images, "label": list(range(count)), **columns})
    parquet.write_table(table, path, row_group_size=group, compression="none", use_dictionary=False)
    return path
