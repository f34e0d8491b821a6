"""Measure the pipe itself: its cost for a record, its memory as the stream grows, and dp-classify beside a bare loop.

python tests/benchmarks/pipe.py [--records N] [--images DIR]

Each figure is of a process of its own. The pipe's own cost is that of a tool that does nothing with images of 16 x 16
pixels; decoding is part of it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from dptools.pipe.filed import Filed
from dptools.pipe.record import Record
from dptools.pipe.run import emit_lines, run
from dptools.pipe.sample import Sample
from dptools.pipe.source import read_jsonl
from dptools.pipe.stage import Engine, ToolStage


@dataclass(frozen=True)
class Nothing(ToolStage):
    """A tool that says of every image the same."""

    tool = "dp-classify"
    key = "classify"
    makes_images = False

    def load(self) -> "Nothing":
        return self

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample]

    def params(self, sample: Sample) -> Record:
        return {"model": "nothing"}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        top = [{"index": n, "wnid": f"n{n:08}", "name": f"class {n}", "p": 0.1} for n in range(5)]
        found = {"model": "nothing", "top": top, "label_rank": 1}
        return [sample.update(classify=found, label=0) for sample in samples]


def pipe(engine: str) -> None:
    """Records from standard input through a tool that does nothing."""
    from dptools.engine.inline import inline
    from dptools.engine.local import Local

    engines: dict[str, Engine] = {"inline": inline, "local": Local(2)}
    run(Filed(Nothing()), read_jsonl(sys.stdin.buffer), engines[engine], emit_lines(sys.stdout.buffer), print)


def bare(images: Path) -> None:
    """What a user would write who has no dp-classify: one image after the other."""
    import torch

    from dptools.classifiers import load

    classifier = load("efficientnet-lite0", device="cpu")
    for path in sorted(path for path in images.rglob("*") if path.is_file()):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        with torch.no_grad():
            probabilities = torch.softmax(classifier(classifier.tensor(pixels)), 1)[0]
        best = probabilities.topk(5)
        print(json.dumps({"path": str(path), "top": best.indices.tolist(), "p": best.values.tolist()}), flush=True)


def measured(
    command: Sequence[str | Path], source: Path | None, target: Path, threads: int | None = None
) -> tuple[float, float]:
    """Seconds, and the most MiB of the process itself."""
    environment = {**os.environ, **({"OMP_NUM_THREADS": str(threads)} if threads else {})}
    start = time.perf_counter()
    with open(source or os.devnull, "rb") as given, target.open("wb") as taken:
        process = subprocess.Popen(command, stdin=given, stdout=taken, env=environment)
        _, status, use = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{command}: {status}")
    return time.perf_counter() - start, use.ru_maxrss / 1024


def own(*words: str) -> list[str]:
    return [sys.executable, __file__, *words]


def write_records(path: Path, count: int, images: Sequence[Path]) -> Path:
    with path.open("w") as file:
        for number in range(count):
            record = {"id": f"{number % 100:02}/image-{number:07}.jpg", "path": str(images[number % len(images)])}
            file.write(json.dumps(record) + "\n")
    return path


def costs(directory: Path, count: int) -> None:
    images = []
    for number in range(10):
        images.append(directory / f"{number}.png")
        Image.fromarray(np.full((16, 16, 3), number, np.uint8)).save(images[-1])
    sizes = [count // 10, count]
    sources = [write_records(directory / f"{size}.jsonl", size, images) for size in sizes]
    print(f"records                     {sizes[0]:>10,} {sizes[1]:>10,}")
    for name, command in {
        "pipe, in one process": own("--pipe", "inline"),
        "pipe, two workers": own("--pipe", "local"),
        "dp-eval": ["dp-eval", "--json", "-"],
    }.items():
        taken = [directory / f"{name}-{size}" for size in sizes]
        found = [measured(command, *pair) for pair in zip(sources, taken, strict=True)]
        if name == "pipe, in one process":
            sources = taken  # records as dp-classify leaves them
        each = (found[1][0] - found[0][0]) / (sizes[1] - sizes[0])
        print(f"{name:<24} MiB {found[0][1]:>10.1f} {found[1][1]:>10.1f}   {1000 * each:.3f} ms a record")


def throughput(directory: Path, images: Path) -> None:
    """Both begin and end; what that takes is told by a folder of one image, and left out."""
    (directory / "one").mkdir()
    paths = sorted(path for path in images.rglob("*") if path.is_file())
    (directory / "one" / paths[0].name).write_bytes(paths[0].read_bytes())
    (directory / "all").mkdir()
    for number in range(max(1, 200 // len(paths))):
        for place, path in enumerate(paths):
            (directory / "all" / f"{number}-{place}{path.suffix}").symlink_to(path.resolve())
    count = len(list((directory / "all").iterdir())) - 1
    loop, tool = own("--bare"), ["dp-classify"]
    for cores in (1, len(os.sched_getaffinity(0))):
        rates = []
        for command in (loop, [*tool, "-j", str(cores)]):
            one, everything = (
                min(measured([*command, directory / folder], None, directory / "out", cores)[0] for _ in range(3))
                for folder in ("one", "all")
            )
            rates.append(count / (everything - one))
        print(
            f"on {cores} cores: bare loop {rates[0]:.1f} images a second, dp-classify {rates[1]:.1f},"
            f" {rates[1] / rates[0]:.2f} of it"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--images", type=Path, help="for the comparison with a bare loop; none without")
    parser.add_argument("--pipe", help=argparse.SUPPRESS)
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pipe:
        pipe(options.pipe)
    elif options.bare:
        bare(options.bare)
    else:
        with TemporaryDirectory() as name:
            costs(Path(name), options.records)
            if options.images:
                throughput(Path(name), options.images)


if __name__ == "__main__":
    main()
