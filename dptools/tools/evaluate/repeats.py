"""Find records that occur more than once, for example because a file was named twice."""

import json
from collections.abc import Iterable, Iterator

from dptools.evaluation.image_counts import MAX_IMAGES
from dptools.evaluation.keys import Record, is_scored

IGNORED = ("path", "cached", "stages")
"""Keys that may differ between two records of the same result."""


class RepeatedRecords:
    """Counts ids that occur more than once with the same result. At most MAX_IMAGES records are remembered."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self._seen: set[int] = set()

    def observe(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records unchanged, and remember them."""
        for record in records:
            if is_scored(record):
                self._add(record)
            yield record

    def _add(self, record: Record) -> None:
        key = hash(json.dumps({key: value for key, value in record.items() if key not in IGNORED}, sort_keys=True))
        if key in self._seen:
            self.ids.add(str(record.get("id")))
        elif len(self._seen) < MAX_IMAGES:
            self._seen.add(key)

    def __str__(self) -> str:
        """Return the number of ids as a text."""
        number = len(self.ids)
        return f"{number:,} id{' occurs' if number == 1 else 's occur'} more than once with the same result"
