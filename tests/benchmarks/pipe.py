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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.image import Pixels, decode
from dptools.pipe.record import Record
from dptools.pipe.run import emit_lines, run
from dptools.pipe.sample import Sample
from dptools.pipe.source import read_jsonl
from dptools.pipe.stage import Engine, ToolOptions

IMAGES, BEGINNING, TURNS = 350, 50, 5
"""At least so many images, so many of which are left out; and how often."""


@dataclass(frozen=True)
class Nothing(ToolOptions):
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
    run(CachedFileStage(Nothing()), read_jsonl(sys.stdin.buffer), engines[engine], emit_lines(sys.stdout.buffer), print)


def bare(images: Path, decoded: Callable[[Path], Pixels]) -> None:
    """What a user would write who has no dp-classify: one image after the other."""
    import torch

    from dptools.classifiers import load

    classifier = load("efficientnet-lite0", device="cpu")
    for path in sorted(path for path in images.rglob("*") if path.is_file()):
        pixels = decoded(path)
        with torch.no_grad():
            probabilities = torch.softmax(classifier(classifier.tensor(pixels)), 1)[0]
        best = probabilities.topk(5)
        print(json.dumps({"path": str(path), "top": best.indices.tolist(), "p": best.values.tolist()}), flush=True)


def as_the_tool(path: Path) -> Pixels:
    """Colour profile and orientation are heeded."""
    return decode(path.read_bytes()).pixels


def plain(path: Path) -> Pixels:
    """They are not."""
    return np.asarray(Image.open(path).convert("RGB"))


def measured(command: list[str], source: Path, target: Path) -> tuple[float, float]:
    """Seconds, and the most MiB of the process itself."""
    start = time.perf_counter()
    with source.open("rb") as given, target.open("wb") as taken:
        process = subprocess.Popen(command, stdin=given, stdout=taken)
        _, status, use = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command}: {process.returncode}")
    return time.perf_counter() - start, use.ru_maxrss / 1024


def own(*words: str) -> list[str]:
    return [sys.executable, __file__, *words]


def write_records(path: Path, count: int, images: Sequence[Path]) -> Path:
    with path.open("w") as file:
        for number in range(count):
            record = {"id": f"{number % 100:02}/image-{number:07}.jpg", "path": str(images[number % len(images)])}
            file.write(json.dumps(record) + "\n")
    return path


def costs(directory: Path, *sizes: int) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Of each tool, seconds and MiB with so many records, of ten tiny images."""
    images = []
    for number in range(10):
        images.append(directory / f"{number}.png")
        Image.fromarray(np.full((16, 16, 3), number, np.uint8)).save(images[-1])
    given = [write_records(directory / f"{size}.jsonl", size, images) for size in sizes]
    in_one_process = [directory / f"classified-{size}.jsonl" for size in sizes]
    taken = [directory / "out"] * len(sizes)
    for name, command, sources, targets in (
        ("pipe, in one process", own("--pipe", "inline"), given, in_one_process),
        ("pipe, two workers", own("--pipe", "local"), given, taken),
        ("dp-eval", [str(Path(sys.executable).with_name("dp-eval")), "--json", "-"], in_one_process, taken),
    ):
        yield name, [measured(command, *pair) for pair in zip(sources, targets, strict=True)]


def tell_costs(directory: Path, few: int, many: int) -> None:
    print(f"records                     {few:>10,} {many:>10,}")
    for name, ((begin, least), (end, most)) in costs(directory, few, many):
        print(f"{name:<24} MiB {least:>10.1f} {most:>10.1f}   {1000 * (end - begin) / (many - few):.3f} ms a record")


def lines(command: list[str], threads: int) -> list[float]:
    """When each line of a command's output came, in seconds."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        times = [time.perf_counter() for _ in process.stdout or ()]
    if process.returncode:
        raise SystemExit(f"{command}: {process.returncode}")
    return times


def rate(command: list[str], threads: int) -> float:
    """Images a second, once it is under way: the first BEGINNING are left out, and with them the start."""
    times = lines(command, threads)[BEGINNING:]
    return (len(times) - 1) / (times[-1] - times[0])


def throughput(directory: Path, images: Path) -> None:
    """Run in turns, since a machine's speed drifts; the median of each."""
    paths = sorted(path for path in images.rglob("*") if path.is_file())
    for number in range(-(-IMAGES // len(paths))):
        for place, path in enumerate(paths):
            (directory / f"{number:03}-{place:05}{path.suffix}").symlink_to(path.resolve())
    for cores in (1, len(os.sched_getaffinity(0))):
        tool = ["dp-classify", "-j", str(cores), str(directory)]
        commands: dict[str, list[str]] = {
            "loop": own("--bare", str(directory)),
            "plain": own("--plain", str(directory)),
            "tool": tool,
        }
        rates: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(TURNS):
            for name in sorted(commands, reverse=turn % 2 == 1):
                rates[name].append(rate(commands[name], cores))
        found = {name: median(values) for name, values in rates.items()}
        print(f"on {cores} cores, images a second: dp-classify {found['tool']:.1f}")
        print(f"  bare loop, the same decoding    {found['loop']:.1f}: {found['tool'] / found['loop']:.2f} of it")
        print(f"  bare loop, Pillow's convert     {found['plain']:.1f}: {found['tool'] / found['plain']:.2f} of it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--images", type=Path, help="for the comparison with a bare loop; none without")
    parser.add_argument("--pipe", help=argparse.SUPPRESS)
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pipe:
        pipe(options.pipe)
    elif options.bare:
        bare(options.bare, as_the_tool)
    elif options.plain:
        bare(options.plain, plain)
    else:
        with TemporaryDirectory() as name:
            tell_costs(Path(name), options.records // 10, options.records)
            if options.images:
                (folder := Path(name) / "images").mkdir()
                throughput(folder, options.images)


if __name__ == "__main__":
    main()
