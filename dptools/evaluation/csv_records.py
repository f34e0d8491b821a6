"""Read predictions of other programs: CSV with a header, one line per image."""

import csv
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dptools.errors import SampleError, UsageError
from dptools.evaluation.hits import same_class

Class = int | str
"""A class: its index, its wnid or its name."""

PREDICTIONS = ("prediction", "top", "top5", "label_rank")
"""Columns of which the header must have one."""

COLUMNS = ("id", "path", "label", *PREDICTIONS, "p", "attack", "method", "model", "suspicion", "skipped", "error")
"""Columns with a meaning. Others are copied into the record as texts, so that ``--by`` can group by them."""

FILE_NAMES = ("id", "path", "skipped", "error")
"""Columns that may hold names of files, which need not be UTF-8."""

RESERVED = ("schema", "source", "classify", "denoise", "certify", "smooth", "suspect", "mapsext", "stages", "cached")
"""Keys of records that a column cannot set."""

DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Header:
    """The header of a CSV file: the names of the columns, those of :data:`COLUMNS` in lower case, and the delimiter."""

    columns: tuple[str, ...]
    delimiter: str


def find_header(line: str, name: str) -> Header | None:
    """Return the header if a line is one; None if it is something else, such as a record in JSON.

    Args:
        line: The first line of a file, decoded like the lines of :func:`read_csv`.
        name: The name of the file, for error messages.

    Raises:
        UsageError: The line is CSV, but no header, a required column is missing, or it is not UTF-8.
    """
    if not line.isascii() and _is_damaged(line):
        raise UsageError(f"{name}: not UTF-8: save it as UTF-8")
    headers = [_split(line, delimiter) for delimiter in DELIMITERS]
    header = max(headers, key=lambda each: (len({*COLUMNS} & {*each.columns}), len(each.columns)))
    known = {*COLUMNS} & {*header.columns}
    if not known and (len(header.columns) < 2 or re.search(r'[{}\[\]]|":', line)):
        return None
    if "label" not in known or not known.intersection(PREDICTIONS):
        expected = "CSV needs a header with the columns label and prediction (or top, or label_rank)"
        raise UsageError(f"{name}: {expected}; the first line has {', '.join(header.columns)}")
    if twice := [column for column in header.columns if column and header.columns.count(column) > 1]:
        raise UsageError(f"{name}: two columns are named {twice[0]}")
    if reserved := [column for column in header.columns if column in RESERVED]:
        raise UsageError(f"{name}: {reserved[0]} is a key of records: give the column another name")
    return header


def read_csv(header: Header, lines: Iterable[str], name: str) -> Iterator[dict[str, Any]]:
    """Yield a record for each row; a row that is not valid becomes a failed record that names the line.

    Args:
        header: The header.
        lines: The lines after the header, which is the first line. Bytes that are not UTF-8 are surrogates in them
            (``surrogateescape``).
        name: The beginning of messages: the name of the file and a colon, or nothing.
    """
    reader = csv.reader(lines, delimiter=header.delimiter, strict=True)
    while True:
        line = reader.line_num + 2  # a row with a quote that is not closed ends thousands of lines later
        try:
            row = next(reader)
            if row:
                yield _record(_cells(header, row), str(line))
        except StopIteration:
            return
        except csv.Error as error:
            yield _failed(f"{name}line {line}", str(error))
        except SampleError as error:
            yield _failed(f"{name}line {line}", error.message)


def _split(line: str, delimiter: str) -> Header:
    try:
        (cells,) = csv.reader([line.strip("\r\n")], delimiter=delimiter)
    except ValueError:
        cells = []
    names = [cell.strip() for cell in cells]
    return Header(tuple(name.lower() if name.lower() in COLUMNS else name for name in names), delimiter)


def _cells(header: Header, row: list[str]) -> dict[str, str]:
    if len(row) != len(header.columns):
        raise SampleError("BadCSV", f"{len(row)} columns, but the header has {len(header.columns)}")
    cells = {column: cell.strip() for column, cell in zip(header.columns, row, strict=True) if column and cell.strip()}
    if any(_is_damaged(cell) for column, cell in cells.items() if column not in FILE_NAMES):
        raise SampleError("BadCSV", "not UTF-8")
    return cells


def _is_damaged(text: str) -> bool:
    """Return whether a text had bytes that are not UTF-8."""
    return any("\udc80" <= char <= "\udcff" for char in text)


def _record(cells: Mapping[str, str], number: str) -> dict[str, Any]:
    """Return the record of a row, whose empty cells are left out."""
    record: dict[str, Any] = {column: cell for column, cell in cells.items() if column not in COLUMNS}
    record["id"] = _id(cells.get("id") or cells.get("path") or number, cells.get("attack"))
    record |= {key: cells[key] for key in ("path",) if key in cells}
    record |= {key: _reason(cells[key]) for key in ("skipped", "error") if key in cells}
    if (attack := cells.get("attack", "none")) != "none":
        record["attack"] = {"name": attack}
    if (method := cells.get("method", "none")) != "none":
        record["denoise"] = {"method": method}
    if "suspicion" in cells:
        record["suspicion"] = _fraction("suspicion", cells["suspicion"])
    if "error" in cells or "skipped" in cells:
        return record
    if "label" in cells:
        record["label"] = _class(cells["label"])
    record["classify"] = _prediction(cells, record.get("label"))
    return record


def _id(name: str, attack: str | None) -> str:
    """Return the id; as in records of dp-attack, it ends in the attack, so that images have several records."""
    return name if attack in (None, "none") or name.endswith(f"@{attack}") else f"{name}@{attack}"


def _prediction(cells: Mapping[str, str], label: Class | None) -> dict[str, Any]:
    """Return the ``classify`` object of a row."""
    top = [_class(text) for text in _list(cells.get("top") or cells.get("top5") or "")]
    first = [_class(cells["prediction"])] if "prediction" in cells else top[:1]
    if not first and "label_rank" not in cells:
        raise SampleError("BadCSV", "no prediction")
    for prediction in [] if "label_rank" in cells else [*first, *top]:
        _check_comparable(label, prediction)
    if top and first != top[:1]:
        raise SampleError("BadCSV", f"prediction {first[0]} is not the first of top, which is {top[0]}")
    entries: list[dict[str, Any]] = [{"index" if isinstance(each, int) else "name": each} for each in top or first]
    if entries and "p" in cells:
        entries[0]["p"] = _fraction("p", cells["p"])
    classify: dict[str, Any] = {"top": entries, **({"model": cells["model"]} if "model" in cells else {})}
    return classify | ({"label_rank": _rank(cells["label_rank"])} if "label_rank" in cells else {})


def _check_comparable(label: Class | None, prediction: Class) -> None:
    if label is not None and same_class(label, prediction) is None:
        both = f"label {label} and prediction {prediction}"
        raise SampleError("BadCSV", f"{both}: write both as indices, or both as names")


def _list(text: str) -> list[str]:
    """Return the classes of a cell: separated by bars, or indices as in ``1 2 3``, ``1, 2, 3`` and ``[1, 2, 3]``."""
    if re.fullmatch(r"\[?\s*\d+([\s,;]+\d+)*\s*\]?", text):
        return re.findall(r"\d+", text)
    return [part.strip() for part in text.split("|") if part.strip()]


def _class(text: str) -> Class:
    """Return an index as an integer, also if it is written as 243.0, and another class as text."""
    return int(float(text)) if re.fullmatch(r"\d{1,9}(\.0+)?", text) else text


def _rank(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}(\.0+)?", text) or float(text) < 1:
        raise SampleError("BadCSV", f"label_rank: expected a whole number from 1, got {text!r}")
    return int(float(text))


def _fraction(column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise SampleError("BadCSV", f"{column}: expected a number from 0 to 1, got {text!r}")
    return value


def _reason(message: str) -> dict[str, str]:
    return {"stage": "csv", "type": "Other", "message": message}


def _failed(where: str, message: str) -> dict[str, Any]:
    """Return a failed record; the stage is empty, because nobody has reported the error yet."""
    return {"id": where, "error": {"stage": "", "type": "BadCSV", "message": f"{where}: {message}"}}
