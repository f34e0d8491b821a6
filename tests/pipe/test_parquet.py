"""Parquet files as input: columns, labels, ids, and files that are damaged or hold something else."""

import io
import os
import threading
from pathlib import Path

import pyarrow
import pytest
from parquets import write_parquet
from pyarrow import parquet
from tars import jpeg

from dptools.errors import SampleError, SetupError
from dptools.pipe.counting import input_counter
from dptools.pipe.opening import read_image
from dptools.pipe.sample import Sample
from dptools.pipe.sniff import InputFormat
from dptools.pipe.source import open_source


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(*operands: str, stdin: bytes = b"") -> list[Sample]:
    return list(open_source(operands, io.BytesIO(stdin)).samples)


def error(sample: Sample) -> tuple[str, str]:
    return sample.record["error"]["type"], sample.record["error"]["message"]


def test_rows_become_samples_with_labels() -> None:
    write_parquet(Path("a.parquet"), 12, group=5)
    samples = read("a.parquet")
    assert [sample.id for sample in samples] == [f"a.parquet#{number:02}" for number in range(12)]
    assert [sample.encoded for sample in samples] == [jpeg(number) for number in range(12)]
    assert [sample.record["label"] for sample in samples] == list(range(12))
    assert samples[3].record["path"] == samples[3].record["source"] == "a.parquet#03"


def test_labels_may_be_names_or_missing() -> None:
    write_parquet(Path("a.parquet"), label=["cat", None, "dog"])
    write_parquet(Path("b.parquet"), label=[-1, None, 0])
    write_parquet(Path("c.parquet"), label=[0.5, 1.5, 2.5])
    labels = [sample.record.get("label") for sample in read("a.parquet", "b.parquet", "c.parquet")]
    assert labels == ["cat", None, "dog", None, None, 0, None, None, None]


@pytest.mark.parametrize(
    "kind", [pyarrow.binary(), pyarrow.large_binary(), pyarrow.struct({"bytes": pyarrow.binary()})]
)
def test_the_only_column_of_images_may_have_any_name(kind: pyarrow.DataType) -> None:
    values = [{"bytes": jpeg(number)} if pyarrow.types.is_struct(kind) else jpeg(number) for number in range(3)]
    parquet.write_table(pyarrow.table({"img": pyarrow.array(values, kind), "fine_label": [1, 2, 3]}), "a.parquet")
    samples = read("a.parquet")
    assert [sample.encoded for sample in samples] == [jpeg(number) for number in range(3)]
    assert "label" not in samples[0].record


def test_a_row_without_an_image_is_one_error() -> None:
    rows = [{"bytes": jpeg(0)}, {"bytes": None, "path": "b.jpg"}, None, {"bytes": b"no image"}]
    write_parquet(Path("a.parquet"), 4, image=rows)
    samples = read("a.parquet")
    assert [sample.failed for sample in samples] == [False, True, True, False]
    assert (samples[1].id, samples[1].record["label"], error(samples[1])[0]) == ("a.parquet#1", 1, "NoImage")
    assert "embed the image files" in error(samples[1])[1]


def test_an_image_that_is_too_large_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dptools.pipe.parquet_file.MAX_MEMBER", 100)
    write_parquet(Path("a.parquet"), 2, image=[{"bytes": bytes(101)}, {"bytes": bytes(100)}])
    first, second = read("a.parquet")
    assert error(first)[0] == "TooLarge"
    assert second.encoded == bytes(100)


def test_files_that_hold_no_images_are_one_error_each() -> None:
    Path("text.parquet").write_text("some text")
    Path("empty.parquet").touch()
    whole = write_parquet(Path("whole.parquet")).read_bytes()
    Path("cut.parquet").write_bytes(whole[:-10])
    parquet.write_table(pyarrow.table({"text": ["a"], "label": [1]}), "words.parquet")
    parquet.write_table(pyarrow.table({"a": [b"x"], "b": [b"y"]}), "two.parquet")
    write_parquet(Path("none.parquet"), 0)
    names = ["text.parquet", "empty.parquet", "cut.parquet", "words.parquet", "two.parquet", "none.parquet"]
    samples = read(*names, "gone.parquet")
    assert [sample.record["path"] for sample in samples] == [*names, "gone.parquet"]
    errors = [error(sample) for sample in samples[:-1]]
    assert [kind for kind, _ in errors] == [*["DamagedParquet"] * 3, *["NoImages"] * 3]
    assert all("\n" not in message for _, message in errors)
    assert "(columns: text, label)" in errors[3][1]
    assert "(a, b): rename one to 'image'" in errors[4][1]


def test_a_damaged_row_group_costs_only_its_rows() -> None:
    data = bytearray(write_parquet(Path("a.parquet"), 6, group=2).read_bytes())
    start = parquet.ParquetFile("a.parquet").metadata.row_group(1).column(0).data_page_offset
    data[start : start + 8] = b"\xff" * 8
    Path("a.parquet").write_bytes(data)
    samples = read("a.parquet")
    assert [sample.id[-1] for sample in samples] == ["0", "1", "2", "4", "5"]
    kind, message = error(samples[2])
    assert kind == "DamagedParquet"
    assert message.startswith("rows 2 to 3 cannot be read: damaged Parquet file: ")


def test_directories_and_lists_of_paths_may_hold_parquet_files() -> None:
    Path("d/data").mkdir(parents=True)
    write_parquet(Path("d/data/train-0.parquet"), 2)
    Path("d/a.jpg").write_bytes(jpeg())
    parquet.write_table(pyarrow.table({"file_name": ["a.jpg"]}), "d/metadata.parquet")
    assert [sample.id for sample in read("d")] == ["a.jpg", "data/train-0.parquet#0", "data/train-0.parquet#1"]
    listed = read(stdin=b"d/a.jpg\nd/data/train-0.parquet\n")
    assert [sample.id for sample in listed] == ["d/a.jpg", "d/data/train-0.parquet#0", "d/data/train-0.parquet#1"]
    assert input_counter(["d/a.jpg"], None, False, [])() == 1
    assert input_counter(["d"], None, False, [])() is None


def test_standard_input_may_be_a_file_or_a_pipe() -> None:
    data = write_parquet(Path("a.parquet")).read_bytes()
    with Path("a.parquet").open("rb") as file:
        source = open_source([], file)
        assert (source.form, source.one_image) == (InputFormat.PARQUET, False)
        assert [(sample.id, sample.path) for sample in source.samples] == [("0", "-#0"), ("1", "-#1"), ("2", "-#2")]
    reading, writing = os.pipe()
    with open(reading, "rb") as pipe, open(writing, "wb") as feed:
        threading.Thread(target=lambda: (feed.write(data), feed.close())).start()
        assert [sample.encoded for sample in open_source(["-"], pipe).samples] == [jpeg(number) for number in range(3)]


def test_a_record_can_refer_to_a_row() -> None:
    write_parquet(Path("a.parquet"), 12, group=5)
    for number in (2, 3, 11, 0, 3, 3):
        assert read_image(f"a.parquet#{number:02}") == jpeg(number)
    with pytest.raises(SampleError, match="no such row"):
        read_image("a.parquet#12")
    write_parquet(Path("a.parquet"), 2, image=[{"bytes": jpeg(7)}, None])
    assert read_image("a.parquet#0") == jpeg(7)
    with pytest.raises(SampleError, match="the row holds no image"):
        read_image("a.parquet#1")


def test_the_rest_of_a_damaged_row_group_stays_an_error() -> None:
    data = bytearray(write_parquet(Path("a.parquet"), 4, group=2).read_bytes())
    start = parquet.ParquetFile("a.parquet").metadata.row_group(0).column(0).data_page_offset
    data[start : start + 8] = b"\xff" * 8
    Path("a.parquet").write_bytes(data)
    for number in (0, 1, 1):
        with pytest.raises(SampleError, match="damaged Parquet file"):
            read_image(f"a.parquet#{number}")
    assert read_image("a.parquet#2") == jpeg(2)


def test_reading_needs_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(Path("a.parquet"))
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(SetupError, match=r"pip install 'deep-protection\[parquet\]'"):
        read("a.parquet")
