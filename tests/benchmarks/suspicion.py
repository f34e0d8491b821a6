"""Measure the quantiles of the disagreement scores of clean images: `CLEAN_QUANTILES` in `dptools.detection.quantiles`.

python tests/benchmarks/suspicion.py IMAGES > quantiles.jsonl
"""

import argparse
import json
from pathlib import Path

import numpy as np

from dptools.classifiers import DEFAULT, load
from dptools.detection import DETECTORS, disagreement_score, load_detector
from dptools.detection.quantiles import QUANTILE_LEVELS
from dptools.engine.worker_setup import limit_torch_to_one_thread
from dptools.errors import SampleError
from dptools.pipe.image import decode


def main() -> None:
    """Print one JSON line per detector."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="directory of clean images; files that are not images are skipped")
    parser.add_argument("--model", default=DEFAULT, help=f"classifier ({DEFAULT})")
    options = parser.parse_args()
    limit_torch_to_one_thread()
    classifier = load(options.model)
    detectors = [load_detector(name, classifier, "auto") for name in DETECTORS]
    scores: dict[str, list[float]] = {name: [] for name in DETECTORS}
    for path in sorted(path for path in options.images.rglob("*") if path.is_file()):
        try:
            pixels = classifier.geometry(decode(path.read_bytes()).pixels)
        except SampleError:
            continue
        probabilities = classifier.probabilities(classifier.tensor(pixels))[0]
        for detector in detectors:
            scores[detector.name].append(disagreement_score(probabilities, list(detector.views(pixels))))
    for name, values in scores.items():
        inner = [round(float(value), 4) for value in np.quantile(values, QUANTILE_LEVELS[1:-1])]
        print(json.dumps({"detector": name, "images": len(values), "quantiles": [0.0, *inner, 1.0]}))


if __name__ == "__main__":
    main()
