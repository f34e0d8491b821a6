"""Score the words and masks of dp-mapsext against the ground truth of maps."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath
from typing import Any, Generic, TypeVar

from dptools.errors import UsageError
from dptools.evaluation.formatting import Rows
from dptools.evaluation.keys import ALL, Record
from dptools.maps.ground_truth import TrueWord, read_ground_truth
from dptools.maps.images import to_grey
from dptools.maps.maptext import DetectionScore, ReadingScore, score_detection, score_reading
from dptools.maps.scoring import MaskScore, Score, WordScore, score_mask, score_words
from dptools.texts import printable
from dptools.tools.evaluate.files import read_image

ScoreT = TypeVar("ScoreT", WordScore, MaskScore, DetectionScore, ReadingScore)


class ScoreTable(Generic[ScoreT]):
    """Scores by method and map. For words, the method is a text recogniser; for masks, it is a mask method."""

    def __init__(self) -> None:
        self._scores: dict[str, dict[str, ScoreT]] = {}

    def add(self, method: str, map_name: str, score: ScoreT) -> None:
        """Add a score to the total of the method and the map."""
        self._scores.setdefault(method, {}).setdefault(map_name, type(score)()).add(score)

    def __iter__(self) -> Iterator[tuple[str, str, ScoreT]]:
        """Yield method, map and score. A method with several maps also gets their total, as the map ``all``."""
        for method, by_map in self._scores.items():
            yield from ((method, map_name, score) for map_name, score in by_map.items())
            if len(by_map) > 1:
                total = type(next(iter(by_map.values())))()
                for score in by_map.values():
                    total.add(score)
                yield method, ALL, total


class MapScores:
    """Scores of the words and masks in records of maps.

    Args:
        ground_truth: A GeoJSON file for one map, or a directory of such files that are named after the maps.
        report: Called with a message for each map that cannot be scored.

    Attributes:
        maps: Number of records of maps.
    """

    def __init__(self, ground_truth: Path, report: Callable[[str], None]) -> None:
        self._ground_truth, self._report = ground_truth, report
        self._only_map, self.maps = "", 0
        self._words: ScoreTable[WordScore] = ScoreTable()
        self._masks: ScoreTable[MaskScore] = ScoreTable()
        self._detection: ScoreTable[DetectionScore] = ScoreTable()
        self._reading: ScoreTable[ReadingScore] = ScoreTable()

    def observe(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records unchanged, and score the records of maps."""
        for record in records:
            if "mapsext" in record and "error" not in record:
                self.maps += 1
                path = PurePath(str(record["id"]))
                self._score(record, str(path.parent / path.stem))
            yield record

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        """Return the scores as a JSON object, documented in dp-eval(1)."""
        return {
            "words": _score_objects(self._words),
            "masks": _score_objects(self._masks),
            "maptext_detection": _score_objects(self._detection, "tightness", "quality", "hmean"),
            "maptext_reading": _score_objects(
                self._reading, "tightness", "quality", "characters", "character_quality", "hmean"
            ),
        }

    def tables(self) -> Iterator[Rows]:
        """Yield a table of word scores and one of mask scores, in per cent. Tables without rows are left out."""
        if rows := [[printable(reader), printable(name), *_word_cells(score)] for reader, name, score in self._words]:
            counts = ["on map", "given", "found", "read"]
            yield [["words by", "map", *counts, "precision", "recall", "F", "characters"], *rows]
        if rows := [
            [printable(reader), printable(name), *_maptext_cells(score)] for reader, name, score in self._reading
        ]:
            detection = [_percent(score.quality) for _, _, score in self._detection]
            names = ["precision", "recall", "F", "tightness", "characters", "PCQ", "H-mean", "PDQ"]
            yield [["MapText", "map", *names], *([*row, pdq] for row, pdq in zip(rows, detection, strict=True))]
        if rows := [[printable(method), printable(name), *_cells(score)] for method, name, score in self._masks]:
            yield [["mask by", "map", "precision", "recall", "F"], *rows]

    def _score(self, record: Record, map_name: str) -> None:
        words, mapsext = self._true_words(map_name), record["mapsext"]
        if words is None:
            return
        if "words" in mapsext:
            reader = mapsext.get("reader", "-")
            self._words.add(reader, map_name, score_words(words, mapsext["words"]))
            self._detection.add(reader, map_name, score_detection(words, mapsext["words"]))
            self._reading.add(reader, map_name, score_reading(words, mapsext["words"]))
        image, mask = read_image(str(record.get("source"))), read_image(str(record.get("path")))
        if image is None or mask is None or image.shape != mask.shape:
            self._report_map(map_name, "mask not scored: the map or the mask is unreadable, or their sizes differ")
        else:
            grey = 255 - to_grey(image) if mapsext.get("inverted") else to_grey(image)
            self._masks.add(mapsext["rule"], map_name, score_mask(words, grey, mask[:, :, 0] > 127))

    def _true_words(self, map_name: str) -> list[TrueWord] | None:
        """Return the true words of a map. If they cannot be read, report the reason and return None."""
        path = self._ground_truth if self._ground_truth.is_file() else self._path(map_name)
        try:
            self._only_map = self._only_map or map_name
            if self._ground_truth.is_file() and map_name != self._only_map:
                raise UsageError(f"{path}: this is the ground truth of {self._only_map}: name a directory")
            return read_ground_truth(path.read_bytes().decode("utf-8-sig"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            reason = f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8'}"
        except ValueError:
            reason = "the id cannot be a file name"
        except UsageError as error:
            reason = str(error)
        self._report_map(map_name, f"not scored: {reason}")
        return None

    def _path(self, map_name: str) -> Path:
        """Return the path of a map's ground truth.

        For the map ``a/b``, it is ``a/b.geojson`` if that file exists, otherwise ``b.geojson``.
        """
        path = self._ground_truth / f"{map_name}.geojson"
        return path if os.path.exists(path) else self._ground_truth / f"{PurePath(map_name).name}.geojson"

    def _report_map(self, map_name: str, message: str) -> None:
        self._report(printable(f"{map_name}: {message}"))


def _score_objects(table: Iterable[tuple[str, str, Score]], *measures: str) -> list[dict[str, Any]]:
    """Return the counts and measures of each score.

    Args:
        table: The scores.
        *measures: Names of further properties of the scores.
    """
    return [
        {
            "by": method,
            "map": map_name,
            **vars(score),
            "precision": score.precision,
            "recall": score.recall,
            "f": score.f,
            **{name: getattr(score, name) for name in measures},
        }
        for method, map_name, score in table
    ]


def _word_cells(score: WordScore) -> list[str]:
    counts = [score.expected, score.given, score.found, score.read]
    return [*map(str, counts), *_cells(score), _percent(score.characters)]


def _maptext_cells(score: ReadingScore) -> list[str]:
    measures = (score.tightness, score.characters, score.character_quality, score.hmean)
    return [*_cells(score), *map(_percent, measures)]


def _cells(score: Score) -> list[str]:
    return list(map(_percent, (score.precision, score.recall, score.f)))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}"
