"""The Deep Protection paper's fits on a GPU: 3,000 steps for each image, classified every 50 steps.

Reads DIR/images.jsonl: in each line, the names of two files (file, clean) and what docs/records/README.md describes
(id, image, attack, label, adversarial, success). Writes one JSON line for each fit, as in
docs/records/paper-fits.jsonl.xz.
"""

import argparse
import io
import json
import tarfile
import time
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from cuda_graph import STATISTICS, Slot, run
from PIL import Image
from torch import Tensor

from dptools.classifiers import load
from dptools.purifiers.dip.networks import paper

EVERY = 50
CURVE_EVERY = 10


def _read(path: Path) -> Tensor:
    """Return an image file, 1 x 3 x H x W in [0, 1]."""
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].float() / 255


def main() -> None:
    """Fit until the images or the time are used up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--keep", type=int, nargs="*", default=[1750])
    parser.add_argument("--precision", default="bf16", choices=["bf16", "fp32"])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    begun = time.monotonic()
    device = torch.device("cuda")
    torch.backends.cudnn.benchmark = False  # it costs 20 s at the start and gains nothing
    jobs = [json.loads(line) for line in (given.folder / "images.jsonl").read_text().splitlines()]
    classifier = load("efficientnet-lite0", device="cuda")
    settings = {"steps": given.steps, "bf16": given.precision == "bf16"}
    slots = [Slot(paper, (1, 3, 224, 224), device, **settings) for _ in range(given.slots)]
    print(f"{given.slots} slots captured after {time.monotonic() - begun:.1f} s", flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    last = 0.0
    with (given.out / "fits.jsonl").open("a") as lines, tarfile.open(given.out / "images.tar", "w") as images:
        for start in range(0, len(jobs), len(slots)):
            if time.monotonic() - begun + last > given.seconds:
                break
            round_begun = time.monotonic()
            batch = jobs[start : start + len(slots)]
            fit(batch, slots, classifier, given, lines, images)
            last = time.monotonic() - round_begun
            print(f"{start + len(batch)} of {len(jobs)} fits, {last:.1f} s for {len(batch)}", flush=True)


def fit(
    batch: list[dict[str, Any]],
    slots: list[Slot],
    classifier: Any,
    given: argparse.Namespace,
    lines: IO[str],
    images: tarfile.TarFile,
) -> None:
    """Fit one round of images, each in its slot."""
    slots = slots[: len(batch)]
    for job, slot in zip(batch, slots, strict=True):
        slot.load(_read(given.folder / job["file"]), _read(given.folder / job["clean"]), given.seed)
    points: list[list[dict[str, Any]]] = [[] for _ in batch]
    for step in range(EVERY, given.steps + 1, EVERY):
        run(slots, EVERY)
        outputs = (torch.cat([slot.output for slot in slots]).clamp(0, 1) * 255).round() / 255
        with torch.no_grad():
            scores = classifier(outputs).float()
        probabilities = scores.softmax(1)
        for row, job in enumerate(batch):
            points[row].append(point(step, probabilities[row], job))
            if step in given.keep:
                _store(images, f"{job['id']}@step{step:04d}.png", outputs[row])
    for row, (job, slot) in enumerate(zip(batch, slots, strict=True)):
        run_facts = {"precision": given.precision, "seed": given.seed}
        record = {**facts(job), **run_facts, "points": points[row], "curves": curves(slot.statistics)}
        lines.write(json.dumps(record) + "\n")
    lines.flush()


def facts(job: dict[str, Any]) -> dict[str, Any]:
    """Return what a record says about its image."""
    return {name: value for name, value in job.items() if name not in ("file", "clean")}


def point(step: int, probabilities: Tensor, job: dict[str, Any]) -> dict[str, Any]:
    """Return the classification of an output after a number of iterations."""
    found = {"iteration": step, "label_rank": _rank(probabilities, job["label"])}
    found |= {"label_p": round(float(probabilities[job["label"]]), 4), "top1": int(probabilities.argmax())}
    return found | ({"adversarial_rank": _rank(probabilities, job["adversarial"])} if "adversarial" in job else {})


def curves(statistics: Tensor) -> dict[str, list[float]]:
    """Return the statistics in dB, every CURVE_EVERY iterations, from steps x len(STATISTICS)."""
    values = statistics[CURVE_EVERY - 1 :: CURVE_EVERY].cpu().double().log10().mul(-10).clamp(-99, 99)
    return {name: [round(float(value), 2) for value in values[:, at]] for at, name in enumerate(STATISTICS)}


def _rank(probabilities: Tensor, index: int) -> int:
    return int((probabilities > probabilities[index]).sum()) + 1


def _store(images: tarfile.TarFile, name: str, image: Tensor) -> None:
    data = io.BytesIO()
    pixels = (image * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    Image.fromarray(pixels).save(data, "PNG")
    entry = tarfile.TarInfo(name)
    entry.size = data.tell()
    data.seek(0)
    images.addfile(entry, data)


if __name__ == "__main__":
    main()
