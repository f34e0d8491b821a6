"""The CSV of dp-classify: one line per image, which spreadsheets and dp-eval read."""

import csv
import io
from typing import Any, TextIO

from dptools.evaluation.keys import NONE, attack_name, method
from dptools.pipe.record import Record
from dptools.pipe.run import Emit, put
from dptools.pipe.sample import Sample
from dptools.texts import encoded

COLUMNS = (
    *("id", "path", "label", "prediction", "name", "p", "label_rank", "top"),
    *("suspicion", "radius", "attack", "method", "model", "skipped", "error"),
)
"""The columns. They are the same for all options, so that files can be joined."""


def as_csv(stream: TextIO) -> Emit:
    """Return a function that writes the header before the first record, and a line for each, failed ones included."""
    header = [COLUMNS]

    def emit(sample: Sample) -> None:
        row = cells(sample.record)
        rows = [header.pop()] if header else []
        put(stream.buffer, _line(*rows, tuple(row.get(column, "") for column in COLUMNS)))

    return emit


def cells(record: Record) -> dict[str, Any]:
    """Return the cells of a record by column; cells without a value may be left out."""
    names = {"attack": attack_name(record), "method": method(record)}
    reasons: dict[str, Any] = {key: record[key]["message"] for key in ("skipped", "error") if key in record}
    values: dict[str, Any] = {key: record.get(key) for key in ("id", "path", "label", "suspicion")}
    values |= {key: name for key, name in names.items() if name != NONE}
    values |= reasons
    if not reasons:
        vote = record.get("certify") or record.get("smooth") or {}
        values |= _prediction(record.get("classify", {}), abstained=vote.get("abstained", False))
        values["radius"] = record.get("certify", {}).get("radius")
    return {key: value for key, value in values.items() if value is not None}


def _prediction(classify: Record, *, abstained: bool) -> dict[str, Any]:
    top = [] if abstained else classify.get("top") or []
    classes = [entry.get("index", entry.get("name")) for entry in top]
    first = top[0] if top else {}
    return {
        "prediction": classes[0] if classes else None,
        "name": first.get("name"),
        "p": first.get("p"),
        "label_rank": classify.get("label_rank"),
        "top": "|".join(map(str, classes)),
        "model": classify.get("model"),
    }


def _line(*rows: tuple[Any, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return encoded(text.getvalue())
