"""Parquet files as input: columns, labels, ids, and files that are damaged or hold something else."""

import io
import os
import sys
import threading
from pathlib import Path

import pyarrow
import pytest
from parquets import write_parquet
from pyarrow import parquet
from tars import jpeg

from dptools.errors import SampleError, SetupError
from dptools.pipe import parquet_file
from dptools.pipe.counting import input_counter
from dptools.pipe.formats import describe
from dptools.pipe.opening import read_image
from dptools.pipe.regular_file import open_regular
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


def test_records_may_alternate_between_files(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    monkeypatch.setattr(parquet_file, "open_regular", lambda path: opened.append(path) or open_regular(path))
    names = [write_parquet(Path(f"{number}.parquet")).name for number in range(3)]
    for row in range(3):
        assert [read_image(f"{name}#{row}") for name in names] == [jpeg(row)] * 3
    assert len(opened) == 3


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
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SetupError, match=r"pip install 'deep-protection\[parquet\]'"):
        read("a.parquet")


def test_a_broken_package_is_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(Path("a.parquet"))
    Path("pyarrow").mkdir()
    for code, reason in (("import no_such_module", "no_such_module"), ("raise ImportError('libarrow.so')", "libarrow")):
        Path("pyarrow/__init__.py").write_text(code)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(".")
            for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
                patch.delitem(sys.modules, name)
            with pytest.raises(SetupError, match=rf"\(pyarrow\) cannot be used: .*{reason}"):
                read("a.parquet")


@pytest.mark.parametrize("index", [False, True])
@pytest.mark.parametrize("counts", [(3, 12), (12, 3), (3, 3), (2, 0), (2, 3, 4)])
def test_several_files_in_a_row_are_refused(counts: tuple[int, ...], index: bool) -> None:
    data = b""
    for count in counts:
        write_parquet(Path("a.parquet"), count)
        parquet.write_table(parquet.read_table("a.parquet"), "a.parquet", write_page_index=index)
        assert [sample.record.get("error", {}).get("type") for sample in read("a.parquet")] == (
            [None] * count or ["NoImages"]
        )
        data += Path("a.parquet").read_bytes()
    Path("all.parquet").write_bytes(data)
    (sample,) = read("all.parquet")
    assert error(sample) == ("SeveralFiles", "several Parquet files in a row: name them as operands")
    assert [error(sample)[0] for sample in read("-", stdin=data)] == ["SeveralFiles"]


def test_unknown_bytes_before_the_footer_are_accepted() -> None:
    """Other writers put Bloom filters and padding there."""
    data = write_parquet(Path("a.parquet")).read_bytes()
    footer = int.from_bytes(data[-8:-4], "little") + 8
    Path("a.parquet").write_bytes(data[:-footer] + b"PAR1" + bytes(600_000) + data[-footer:])
    assert [sample.encoded for sample in read("a.parquet")] == [jpeg(number) for number in range(3)]


@pytest.mark.parametrize("name", ["image", "label"])
def test_two_columns_of_the_same_name_are_one_error(name: str) -> None:
    table = parquet.read_table(write_parquet(Path("a.parquet")))
    parquet.write_table(table.append_column(name, table[name]), "a.parquet")
    (sample,) = read("a.parquet")
    assert error(sample) == ("DuplicateColumn", f"two columns are named {name!r}: rename or remove one")


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (pyarrow.array(["cat", "dog", None]).dictionary_encode(), ["cat", "dog", None]),
        (pyarrow.array([5, -1, None]).dictionary_encode(), [5, None, None]),
        (pyarrow.array([1.0, None, float("nan")]), [1, None, None]),
        (pyarrow.array(["", "a", None], pyarrow.large_string()), [None, "a", None]),
        (pyarrow.nulls(3), [None] * 3),
    ],
)
def test_labels_of_other_types_are_read(
    values: pyarrow.Array, labels: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    write_parquet(Path("a.parquet"), label=values)
    found = [sample.record.get("label") for sample in read("a.parquet")]
    assert found == labels
    assert [type(label) for label in found] == [type(label) for label in labels]
    assert not caplog.messages


@pytest.mark.parametrize(
    ("values", "labels", "message"),
    [
        ([[0], [1], [2]], [None] * 3, "'label' is ignored: its type is list<"),
        ([True, False, True], [None] * 3, "'label' is ignored: its type is bool, not integer or string"),
        ([0.5, 1.0, 1.5], [None, 1, None], "'label': numbers that are not whole are ignored"),
        (["x" * 5000, "y" * 5000, "a"], [None, None, "a"], "'label': labels of more than 4096 bytes are ignored"),
    ],
)
def test_labels_that_are_ignored_give_one_warning(
    values: list[object], labels: list[object], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_parquet(Path("a.parquet"), label=values)
    assert [sample.record.get("label") for sample in read("a.parquet")] == labels
    (found,) = caplog.messages
    assert found.startswith("a.parquet: column 'label'")
    assert message in found


def test_images_may_be_stored_in_a_dictionary() -> None:
    images = pyarrow.array([jpeg(0), jpeg(1), None, jpeg(0)]).dictionary_encode()
    parquet.write_table(pyarrow.table({"image": images}), "a.parquet")
    samples = read("a.parquet")
    assert [sample.encoded for sample in samples] == [jpeg(0), jpeg(1), None, jpeg(0)]
    assert error(samples[2])[0] == "NoImage"


def test_a_value_that_is_stored_once_and_read_often_is_a_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dptools.pipe.parquet_file.FREE_EXPANSION", 2**20)
    table = pyarrow.table({"image": [bytes(2**17)] * 20})
    parquet.write_table(table, "a.parquet", compression="zstd", row_group_size=10)
    samples = read("a.parquet")
    assert [sample.failed for sample in samples] == [False] * 8 + [True]
    message = "rows 8 to 19 cannot be read: it expands more than 100-fold: refused as a bomb"
    assert error(samples[8]) == ("DecompressionBomb", message)
    assert len(read_image("a.parquet#12")) == len(read_image("a.parquet#12")) == 2**17


def test_a_column_that_states_a_large_expansion_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dptools.pipe.parquet_file.FREE_EXPANSION", 2**20)
    parquet.write_table(pyarrow.table({"image": [bytes(2**21)]}), "a.parquet", compression="zstd")
    (sample,) = read("a.parquet")
    assert error(sample)[0] == "DecompressionBomb"


def test_rows_with_equal_images_are_decoded_one_at_a_time() -> None:
    parquet.write_table(pyarrow.table({"image": [bytes(2**22)] * 16}), "a.parquet", compression="zstd")
    pool = pyarrow.default_memory_pool()
    before, peaks = pool.bytes_allocated(), []
    for _ in open_source(["a.parquet"], io.BytesIO()).samples:
        peaks.append(pool.bytes_allocated() - before)
    assert len(peaks) == 16
    assert max(peaks) < 6 * 2**22


@pytest.mark.parametrize("name", ["a.parquet#0", "a.tar#0.png"])
def test_a_record_that_names_a_pipe_is_an_error(name: str) -> None:
    os.mkfifo(name.partition("#")[0])
    with pytest.raises(SampleError, match="not a regular file"):
        read_image(name)


def test_a_parquet_file_of_another_name_is_described() -> None:
    data = write_parquet(Path("a.pq")).read_bytes()
    assert describe(data) == "a Parquet file: use it as standard input, or rename it to FILE.parquet"


@pytest.mark.parametrize("end", [b"\n", b""])
def test_paths_may_begin_like_a_parquet_file(end: bytes) -> None:
    for name in (b"PAR1.png", b"PAR1", "PAR1é.png".encode()):
        source = open_source([], io.BytesIO(name + end))
        assert source.form is InputFormat.PATHS
        assert [sample.path for sample in source.samples] == [name.decode()]
