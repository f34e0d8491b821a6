"""The memory of the tools does not grow with the length of the stream."""

from pathlib import Path

from benchmarks.pipe import costs


def test_memory_is_constant_for_twenty_times_as_many_records(tmp_path: Path) -> None:
    measured = list(costs(tmp_path, 500, 10_000))
    assert len(measured) == 3
    for name, ((_, few_mib), (_, many_mib)) in measured:
        assert many_mib < 1.05 * few_mib, name
