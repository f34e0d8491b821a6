"""Measure the pipe: its time per record, its memory as the stream grows, and dp-classify against a plain loop.

python tests/benchmarks/pipe.py [--records N] [--images DIR]

Each measurement runs in a new process. The cost of the pipe is that of a tool that does nothing with images of 16 x 16
pixels; it includes decoding.
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

from dptools.devices import available_cores
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.image import Pixels, decode
from dptools.pipe.record import Record
from dptools.pipe.run import emit_lines, run
from dptools.pipe.sample import Sample
from dptools.pipe.source import read_jsonl
from dptools.pipe.stage import Engine, ToolOptions

# A throughput is measured on at least MIN_IMAGES images, without the first WARM_UP images, and REPEATS times.
MIN_IMAGES, WARM_UP, REPEATS = 350, 50, 5


@dataclass(frozen=True)
class Nothing(ToolOptions):
    """A tool that gives the same record for every image."""

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
        prediction = {"model": "nothing", "top": top, "label_rank": 1}
        return [sample.update(classify=prediction, label=0) for sample in samples]


def pipe(engine: str) -> None:
    """Run a tool that does nothing on the records of standard input."""
    from dptools.engine.inline import inline
    from dptools.engine.local import Local

    engines: dict[str, Engine] = {"inline": inline, "local": Local(2)}
    run(CachedFileStage(Nothing()), read_jsonl(sys.stdin.buffer), engines[engine], emit_lines(sys.stdout.buffer), print)


def plain_loop(images: Path, decode_image: Callable[[Path], Pixels]) -> None:
    """Classify images one by one, as a script without dp-classify would."""
    import torch

    from dptools.classifiers import load

    classifier = load("efficientnet-lite0", device="cpu")
    for path in sorted(path for path in images.rglob("*") if path.is_file()):
        pixels = decode_image(path)
        with torch.no_grad():
            probabilities = torch.softmax(classifier(classifier.tensor(pixels)), 1)[0]
        top = probabilities.topk(5)
        print(json.dumps({"path": str(path), "top": top.indices.tolist(), "p": top.values.tolist()}), flush=True)


def decode_like_dptools(path: Path) -> Pixels:
    """Return the pixels of an image with its colour profile and orientation applied."""
    return decode(path.read_bytes()).pixels


def decode_with_pillow(path: Path) -> Pixels:
    """Return the pixels of an image without applying its colour profile and orientation."""
    return np.asarray(Image.open(path).convert("RGB"))


def measure(command: list[str], source: Path, target: Path) -> tuple[float, float]:
    """Run a command, and return its seconds and the largest resident size of its process in MiB."""
    start = time.perf_counter()
    with source.open("rb") as stdin, target.open("wb") as stdout:
        process = subprocess.Popen(command, stdin=stdin, stdout=stdout)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command}: {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def this_script(*arguments: str) -> list[str]:
    """Return the command that runs this file with arguments."""
    return [sys.executable, __file__, *arguments]


def write_records(path: Path, count: int, images: Sequence[Path]) -> Path:
    """Write records that refer to the images in turn, and return the path."""
    with path.open("w") as file:
        for number in range(count):
            record = {"id": f"{number % 100:02}/image-{number:07}.jpg", "path": str(images[number % len(images)])}
            file.write(json.dumps(record) + "\n")
    return path


def costs(directory: Path, *sizes: int) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Yield the name of each tool with its seconds and MiB for each number of records; ten tiny images are used."""
    images = []
    for number in range(10):
        images.append(directory / f"{number}.png")
        Image.fromarray(np.full((16, 16, 3), number, np.uint8)).save(images[-1])
    inputs = [write_records(directory / f"{size}.jsonl", size, images) for size in sizes]
    classified = [directory / f"classified-{size}.jsonl" for size in sizes]
    discarded = [directory / "out"] * len(sizes)
    for name, command, sources, targets in (
        ("pipe, in one process", this_script("--pipe", "inline"), inputs, classified),
        ("pipe, two workers", this_script("--pipe", "local"), inputs, discarded),
        ("dp-eval", [str(Path(sys.executable).with_name("dp-eval")), "--json", "-"], classified, discarded),
    ):
        yield name, [measure(command, *pair) for pair in zip(sources, targets, strict=True)]


def print_costs(directory: Path, few: int, many: int) -> None:
    """Print the memory of each tool for both numbers of records, and the time per record."""
    print(f"records                     {few:>10,} {many:>10,}")
    for name, ((few_seconds, few_mib), (many_seconds, many_mib)) in costs(directory, few, many):
        per_record = 1000 * (many_seconds - few_seconds) / (many - few)
        print(f"{name:<24} MiB {few_mib:>10.1f} {many_mib:>10.1f}   {per_record:.3f} ms per record")


def line_times(command: list[str], threads: int) -> list[float]:
    """Return the time in seconds at which the command printed each line."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        times = [time.perf_counter() for _ in process.stdout or ()]
    if process.returncode:
        raise SystemExit(f"{command}: {process.returncode}")
    return times


def images_per_second(command: list[str], threads: int) -> float:
    """Return the throughput of a command after the first WARM_UP images, so that its start does not count."""
    times = line_times(command, threads)[WARM_UP:]
    return (len(times) - 1) / (times[-1] - times[0])


def print_throughput(directory: Path, images: Path) -> None:
    """Print the median throughput of dp-classify and of plain loops; the commands alternate, since machines vary."""
    paths = sorted(path for path in images.rglob("*") if path.is_file())
    for copy in range(-(-MIN_IMAGES // len(paths))):
        for number, path in enumerate(paths):
            (directory / f"{copy:03}-{number:05}{path.suffix}").symlink_to(path.resolve())
    for cores in (1, available_cores()):
        commands = {
            "loop": this_script("--loop", str(directory)),
            "pillow": this_script("--pillow", str(directory)),
            "tool": ["dp-classify", "-j", str(cores), str(directory)],
        }
        rates: dict[str, list[float]] = {name: [] for name in commands}
        for repeat in range(REPEATS):
            for name in sorted(commands, reverse=repeat % 2 == 1):
                rates[name].append(images_per_second(commands[name], cores))
        medians = {name: median(values) for name, values in rates.items()}
        print(f"{cores} cores, images per second: dp-classify {medians['tool']:.1f}")
        for label, name in (("plain loop, same decoding", "loop"), ("plain loop, Pillow's convert", "pillow")):
            print(f"  {label:<30} {medians[name]:.1f}; dp-classify / loop = {medians['tool'] / medians[name]:.2f}")


def main() -> None:
    """Run the measurements, or the one that this process was started for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--images", type=Path, help="directory of images for the comparison with a plain loop")
    parser.add_argument("--pipe", help=argparse.SUPPRESS)
    parser.add_argument("--loop", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--pillow", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pipe:
        pipe(options.pipe)
    elif options.loop:
        plain_loop(options.loop, decode_like_dptools)
    elif options.pillow:
        plain_loop(options.pillow, decode_with_pillow)
    else:
        with TemporaryDirectory() as name:
            print_costs(Path(name), options.records // 10, options.records)
            if options.images:
                (folder := Path(name) / "images").mkdir()
                print_throughput(folder, options.images)


if __name__ == "__main__":
    main()
