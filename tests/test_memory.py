"""What a tool needs of memory does not grow with what passes through it."""

from pathlib import Path

from benchmarks.pipe import costs


def test_memory_is_the_same_for_twenty_times_the_records(tmp_path: Path) -> None:
    for name, ((_, least), (_, most)) in costs(tmp_path, 1_000, 20_000):
        assert most < 1.05 * least, name
