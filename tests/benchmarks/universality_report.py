"""Print the tables of docs/weights.md for several classifiers from its records, without computing.

Each line of the records is one purified image: model, method, attack, image, label and the rank of the label
(`make universality-report`).
"""

import argparse
import json
import lzma
from pathlib import Path

from restore import Case, Result
from universality import markdown, rows


def read(path: Path) -> dict[str, dict[str, list[Result]]]:
    """Return the results by model and method."""
    found: dict[str, dict[str, list[Result]]] = {}
    with lzma.open(path, "rt") as file:
        for record in map(json.loads, file):
            case = Case(record["image"], record["label"], record["attack"], record["image"])
            result = Result(case, record["rank"], record["seconds"], 0)
            found.setdefault(record["model"], {}).setdefault(record["method"], []).append(result)
    return found


def main() -> None:
    """Print one table for each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=Path, help="compressed records")
    for model, results in read(parser.parse_args().records).items():
        print(f"\n{model}:\n\n{markdown(rows(results))}")


if __name__ == "__main__":
    main()
