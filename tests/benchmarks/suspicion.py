"""Measure the quantiles of the disagreement scores of clean images: `CLEAN_QUANTILES` in `dptools.detection.scores`.

python tests/benchmarks/suspicion.py IMAGES > doubts.json
"""

import argparse
import json
from pathlib import Path

import numpy as np

from dptools.classifiers import DEFAULT, load
from dptools.detection import DETECTORS, disagreement_score, load_detector
from dptools.detection.scores import QUANTILE_LEVELS
from dptools.engine.worker_setup import limit_torch_to_one_thread
from dptools.errors import SampleError
from dptools.pipe.image import decode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("--model", default=DEFAULT)
    options = parser.parse_args()
    limit_torch_to_one_thread()
    classifier = load(options.model)
    detectors = [load_detector(name, classifier, "auto") for name in DETECTORS]
    found: dict[str, list[float]] = {name: [] for name in DETECTORS}
    for path in sorted(path for path in options.images.rglob("*") if path.is_file()):
        try:
            pixels = classifier.geometry(decode(path.read_bytes()).pixels)
        except SampleError:
            continue
        seen = classifier.probabilities(classifier.tensor(pixels))[0]
        for each in detectors:
            found[each.name].append(disagreement_score(seen, list(each.views(pixels))))
    for name, doubts in found.items():
        inner = [round(float(value), 4) for value in np.quantile(doubts, QUANTILE_LEVELS[1:-1])]
        print(json.dumps({"detector": name, "images": len(doubts), "doubts": [0.0, *inner, 1.0]}))


if __name__ == "__main__":
    main()
