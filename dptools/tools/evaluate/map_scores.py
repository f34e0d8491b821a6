"""dp-eval --maps: records of dp-mapsext beside what stands on the maps."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath
from typing import Any, Generic, TypeVar

from dptools.errors import UsageError
from dptools.evaluation.keys import Record
from dptools.maps.masks import grey
from dptools.maps.scoring import InkScore, Score, WordScore, score_ink, score_words
from dptools.maps.truth import Truth, read_truth
from dptools.texts import printable
from dptools.tools.evaluate.reading import open_image

ALL = "all"

Kind = TypeVar("Kind", WordScore, InkScore)


class Tally(Generic[Kind]):
    """Scores by who made it, and by map."""

    def __init__(self) -> None:
        self.scores: dict[str, dict[str, Kind]] = {}

    def add(self, maker: str, name: str, score: Kind) -> None:
        self.scores.setdefault(maker, {}).setdefault(name, type(score)()).add(score)

    def __iter__(self) -> Iterator[tuple[str, str, Kind]]:
        """Maker, map and score; of several maps of a maker, all together last."""
        for maker, by_map in self.scores.items():
            yield from ((maker, name, score) for name, score in by_map.items())
            if len(by_map) > 1:
                total = type(next(iter(by_map.values())))()
                for score in by_map.values():
                    total.add(score)
                yield maker, ALL, total


class MapScores:
    """Scores of the words and the masks that records of maps hold.

    Args:
        truth: a GeoJSON file, or a directory of such, named after the maps.
        report: is told of a map that cannot be scored.

    Raises:
        UsageError: there is no such file.
    """

    def __init__(self, truth: Path, report: Callable[[str], None]) -> None:
        if not truth.exists():
            raise UsageError(f"--maps {truth}: no such file or directory")
        self.truth, self.report, self.only = truth, report, ""
        self.words: Tally[WordScore] = Tally()
        self.ink: Tally[InkScore] = Tally()

    def passing(self, records: Iterable[Record]) -> Iterator[Record]:
        """The records as they are; those of maps are scored in passing."""
        for record in records:
            if "mapsext" in record and "error" not in record:
                path = PurePath(str(record["id"]))
                self._score(record, str(path.parent / path.stem))
            yield record

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        return {
            what: [
                {
                    "by": maker,
                    "map": name,
                    **vars(score),
                    "precision": score.precision,
                    "recall": score.recall,
                    "f": score.f,
                }
                for maker, name, score in tally
            ]
            for what, tally in (("words", self.words), ("masks", self.ink))
        }

    def tables(self) -> Iterator[list[list[str]]]:
        """Of words and of masks, where there are any."""
        if rows := [[printable(maker), printable(name), *_word_cells(score)] for maker, name, score in self.words]:
            counts = ["on map", "given", "found", "read"]
            yield [["words by", "map", *counts, "precision", "recall", "F", "characters"], *rows]
        if rows := [[printable(maker), printable(name), *_cells(score)] for maker, name, score in self.ink]:
            yield [["mask by", "map", "precision", "recall", "F"], *rows]

    def _score(self, record: Record, name: str) -> None:
        truth, found = self._read_truth(name), record["mapsext"]
        if truth is None:
            return
        if "words" in found:
            self.words.add(found.get("reader", "-"), name, score_words(truth, found["words"]))
        image, mask = open_image(str(record.get("source"))), open_image(str(record.get("path")))
        if image is None or mask is None or image.shape != mask.shape:
            self._say(f"{name}: no mask compared: the map or its mask cannot be read, or they differ in size")
        else:
            self.ink.add(found["rule"], name, score_ink(truth, grey(image), mask[:, :, 0] > 127))

    def _read_truth(self, name: str) -> list[Truth] | None:
        path = self.truth if self.truth.is_file() else self._path(name)
        try:
            self.only = self.only or name
            if self.truth.is_file() and name != self.only:
                raise UsageError(f"{path}: it is that of {self.only}; name a directory")
            return read_truth(path.read_bytes().decode("utf-8-sig"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            self._say(f"{name}: not scored: {path}: {getattr(error, 'strerror', None) or 'not UTF-8'}")
        except ValueError:
            self._say(f"{name}: not scored: no file can have such a name")
        except UsageError as error:
            self._say(f"{name}: not scored: {error}")
        return None

    def _say(self, line: str) -> None:
        self.report(printable(line))

    def _path(self, name: str) -> Path:
        """The ground truth of a map: in the directory that the map has too, or without it."""
        path = self.truth / f"{name}.geojson"
        return path if os.path.exists(path) else self.truth / f"{PurePath(name).name}.geojson"


def _word_cells(score: WordScore) -> list[str]:
    counts = [score.expected, score.given, score.found, score.read]
    return [*map(str, counts), *_cells(score), _percent(score.characters)]


def _cells(score: Score) -> list[str]:
    return list(map(_percent, (score.precision, score.recall, score.f)))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}"
