"""Shards as input: what belongs together, and tar files that are damaged or made to do harm."""

import gzip
import io
import json
import os
import random
import tarfile
from pathlib import Path

import pytest
import zstandard
from tars import jpeg, labelled, special, tar

from dptools.errors import SampleError, SetupError
from dptools.pipe import forward_file, shard_index
from dptools.pipe.opening import read_encoded, read_image
from dptools.pipe.regular_file import open_regular
from dptools.pipe.sample import Sample
from dptools.pipe.shard_names import output_path
from dptools.pipe.source import open_source

KEYS = ["a", "n01/b", "n01/c.v2", "é" * 80]
JPG = jpeg()


def read(data: bytes) -> list[Sample]:
    return list(open_source([], io.BytesIO(data)).samples)


def errors(samples: list[Sample]) -> list[tuple[str, str]]:
    return [(sample.id, sample.record["error"]["type"]) for sample in samples if sample.failed]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.compress])
def test_keys_images_and_labels(compress: "type[bytes]", form: int, tmp_path: Path) -> None:
    data = compress(tar(labelled(KEYS[:3] if form == tarfile.USTAR_FORMAT else KEYS), format=form))
    samples = read(data)
    assert [sample.id for sample in samples] == KEYS[: len(samples)]
    assert [sample.record["label"] for sample in samples] == list(range(len(samples)))
    assert [sample.encoded for sample in samples] == [jpeg(number) for number in range(len(samples))]
    (tmp_path / "s.tar.gz").write_bytes(data)
    (sample, *_) = open_source([str(tmp_path / "s.tar.gz")], io.BytesIO()).samples
    assert (sample.id, sample.path) == ("s.tar.gz#a", f"{tmp_path}/s.tar.gz#a.jpg")
    (sample, *_) = open_source([], io.BytesIO(f"{tmp_path}/s.tar.gz\n".encode())).samples
    assert sample.id == f"{tmp_path}/s.tar.gz#a"


def test_record_of_dptools_is_read_and_other_json_is_not() -> None:
    ours = {"schema": 2, "id": "n01/x.png", "source": "x.png", "label": 3, "ours": 7}
    members = [("a.jpg", JPG), ("a.json", json.dumps(ours).encode()), ("b.jpg", JPG), ("b.json", b'{"id": 5}')]
    first, second = read(tar(members))
    assert first.record == {**ours, "path": "-#a.jpg"}
    assert second.record == {"schema": 2, "id": "b", "path": "-#b.jpg", "source": "-#b.jpg"}


def test_failed_record_is_passed_on() -> None:
    failed = {"schema": 2, "id": "x", "error": {"stage": "dp-attack", "type": "T", "message": "m"}}
    (sample,) = read(tar([("a.json", json.dumps(failed).encode())]))
    assert sample.failed
    assert sample.reported


def test_other_members_are_ignored() -> None:
    hidden = [("._a.jpg", b"x"), (".git/b.jpg", b"x"), ("a.txt", b"x"), ("README", b"x"), ("./a.jpg", JPG)]
    (sample,) = read(tar([special("n01", tarfile.DIRTYPE), *hidden]))
    assert (sample.id, sample.encoded) == ("a", JPG)


def test_tar_files_in_a_row_are_all_read() -> None:
    samples = read(tar(labelled("ab")) + tar(labelled("cd")))
    assert [sample.id for sample in samples] == list("abcd")


def test_each_unusable_member_gives_one_error() -> None:
    members = [
        ("ok.jpg", JPG),
        ("../up.jpg", JPG),
        ("/etc/abs.jpg", JPG),
        special("link.jpg", tarfile.SYMTYPE, "/etc/passwd"),
        special("hard.jpg", tarfile.LNKTYPE, "ok.jpg"),
        special("null", tarfile.CHRTYPE),
        special("pipe.jpg", tarfile.FIFOTYPE),
        ("bad.jpg", JPG),
        ("bad.json", b'{"schema": 2, "label": []}'),
        ("twice.jpg", JPG),
        ("twice.png", JPG),
        ("alone.cls", b"3"),
        ("ok.png", JPG),
        special("empty.jpg", tarfile.REGTYPE),
        ("last.jpg", JPG),
    ]
    samples = read(tar(members))
    assert errors(samples) == [
        ("../up", "BadName"),
        ("/etc/abs", "BadName"),
        ("link", "BadMember"),
        ("hard", "BadMember"),
        ("null", "BadMember"),
        ("pipe", "BadMember"),
        ("bad", "BadRecord"),
        ("twice", "DuplicateKey"),
        ("alone", "NoImage"),
        ("ok", "DuplicateKey"),
    ]
    assert [sample.id for sample in samples if not sample.failed] == ["ok", "twice", "empty", "last"]


def test_member_that_is_too_large_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dptools.pipe.shard_source.MAX_MEMBER", 1000)
    assert errors(read(tar([("a.jpg", bytes(5000)), ("b.jpg", JPG[:900])]))) == [("a", "TooLarge")]


def claiming(size: int) -> bytes:
    """Return a tar file with an image, and a member that claims a size but has no content."""
    info = tarfile.TarInfo("claim.jpg")
    info.size = size
    return tar([("a.jpg", JPG)])[: 512 * (2 + len(JPG) // 512)] + info.tobuf() + bytes(2048)


def test_claim_of_ten_gigabytes_takes_no_memory() -> None:
    assert errors(read(claiming(10 * 10**9))) == [("claim", "TooLarge"), ("-", "CutOff")]
    assert errors(read(claiming(10**6))) == [("-", "CutOff")]


def test_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward_file, "FREE_EXPANSION", 10**6)
    bomb = gzip.compress(tar([("a.jpg", JPG), ("b.txt", bytes(10**7)), ("c.jpg", JPG)]))
    samples = read(bomb)
    assert errors(samples) == [("-", "DecompressionBomb")]
    assert [sample.id for sample in samples] == ["a", "-"]


def test_header_of_unlimited_length_is_refused() -> None:
    info = special("x", tarfile.GNUTYPE_LONGNAME)
    info.size = 2**30
    assert errors(read(tar([("a.jpg", JPG)])[:-10240] + info.tobuf() + bytes(10**6))) != []
    info = special("x", tarfile.XHDTYPE)
    info.size = 2**30
    samples = read(info.tobuf(tarfile.USTAR_FORMAT) + bytes(10**6))
    assert errors(samples) == [("-", "DamagedTar")]
    assert "header of more than" in samples[0].record["error"]["message"]


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.compress])
def test_every_cut_is_reported_and_complete_images_are_read(compress: "type[bytes]") -> None:
    data = compress(tar(labelled("abc")))
    end = len(data) if compress is not bytes else 3 * (1024 + 512 * -(-len(JPG) // 512) + 512)
    for length in range(600, end, 131):
        *complete, last = read(data[:length])
        assert last.failed, length
        assert last.record["error"]["type"] in ("CutOff", "DamagedTar"), length
        if complete and complete[-1].failed:
            assert complete.pop().id == "abc"[len(complete)], length
        assert [sample.encoded for sample in complete] == [jpeg(number) for number in range(len(complete))], length
        assert [sample.record.get("label") for sample in complete] == [*range(len(complete))], length


def test_workers_read_the_images_of_an_uncompressed_file(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(tar([*labelled("ab"), ("big.jpg", bytes(10**6))]) + tar(labelled("c")))
    samples = list(open_source([str(path)], io.BytesIO()).samples)
    assert [(sample.id, sample.encoded) for sample in samples] == [
        (f"s.tar#{key}", None) for key in ("a", "b", "big", "c")
    ]
    assert [read_encoded(sample) for sample in samples] == [jpeg(0), jpeg(1), bytes(10**6), jpeg(0)]
    path.write_bytes(tar([("a.jpg", jpeg(5))]))
    with pytest.raises(SampleError, match="its shard was changed during the run"):
        read_encoded(samples[0])


def test_image_without_its_record_because_of_a_cut_is_an_error() -> None:
    record = json.dumps({"schema": 2, "id": "n01/x.png", "label": 3}).encode()
    whole = tar([("a.png", JPG), ("a.json", record), ("a.cls", b"3")])
    for name in (b"a.json", b"a.cls"):
        cut = whole.index(name)
        for length in (cut, cut + 200, cut + 520):
            first, _ = read(whole[:length])
            assert first.id == ("a" if name == b"a.json" else "n01/x.png")
            assert first.record["error"]["type"] == "CutOff"
            assert first.path == "-#a.png"
    assert [sample.id for sample in read(whole)] == ["n01/x.png"]


def test_every_cut_of_a_file_is_reported_as_that_of_a_stream(tmp_path: Path) -> None:
    data, path = tar(labelled("abc")), tmp_path / "s.tar"
    for length in range(600, len(data), 131):
        path.write_bytes(data[:length])
        samples = list(open_source([str(path)], io.BytesIO()).samples)
        streamed = read(data[:length])
        assert [sample.failed for sample in samples] == [sample.failed for sample in streamed], length
        for sample, other in zip(samples, streamed, strict=True):
            assert sample.failed or read_encoded(sample) == other.encoded, length


def test_an_empty_tar_file_is_a_shard_without_images() -> None:
    for data in (tar([]), gzip.compress(tar([])), bytes(1024)):
        (sample,) = read(data)
        assert sample.record["error"]["message"] == "shard without images"


def test_missing_end_mark_is_reported() -> None:
    samples = read(tar([("a.jpg", JPG), ("b.txt", b"x" * 512)]).rstrip(b"\0"))
    assert [sample.id for sample in samples] == ["a", "-"]
    assert "has no end mark" in samples[-1].record["error"]["message"]


def test_random_damage_gives_samples_and_errors_only() -> None:
    chance, whole = random.Random(0), tar(labelled("abcdef"))
    for data in (whole, gzip.compress(whole), zstandard.compress(whole)):
        for _ in range(50):
            damaged = bytearray(data)
            for _ in range(chance.randrange(1, 6)):
                damaged[chance.randrange(512, len(damaged))] ^= 1 << chance.randrange(8)
            assert read(bytes(damaged))


def test_damaged_header_is_an_error_not_an_end() -> None:
    data = bytearray(tar(labelled("abc")))
    second = data.index(b"b.jpg")
    data[second + 148] ^= 1
    samples = read(bytes(data))
    assert [sample.id for sample in samples] == ["a", "-"]
    assert f"no valid header at byte {second:,}" in samples[-1].record["error"]["message"]


def test_file_that_is_no_shard(tmp_path: Path) -> None:
    (tmp_path / "text.tar").write_bytes(b"some text" * 100)
    (tmp_path / "empty.tar").touch()
    (tmp_path / "none.tar").write_bytes(tar([("a.txt", b"x")]))
    (tmp_path / "log.tgz").write_bytes(gzip.compress(b"some text" * 100))
    operands = [str(tmp_path / name) for name in ("text.tar", "empty.tar", "none.tar", "log.tgz", "gone.tar")]
    samples = list(open_source(operands, io.BytesIO()).samples)
    kinds = [sample.record["error"]["type"] if sample.failed else "" for sample in samples]
    assert kinds == ["NotATar", "EmptyFile", "NoImages", "NotATar", "FileNotFoundError"]
    assert "decompress it first" in samples[3].record["error"]["message"]


def test_zstandard_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    with pytest.raises(SetupError, match="pip install"):
        read(zstandard.compress(tar(labelled("a"))))


def test_record_can_refer_to_an_image_in_a_shard(tmp_path: Path) -> None:
    (tmp_path / "s.tar").write_bytes(tar(labelled(KEYS)))
    for number in (2, 0, 3, 1, 2):
        assert read_image(f"{tmp_path}/s.tar#{KEYS[number]}.jpg") == jpeg(number)
    (tmp_path / "s.tar").write_bytes(tar([("a.jpg", jpeg(9))]))
    assert read_image(f"{tmp_path}/s.tar#a.jpg") == jpeg(9)
    for path, message in (("s.tar#z.jpg", "no such member"), ("s.tar.gz#a.jpg", "decompress it first")):
        with pytest.raises(SampleError, match=message):
            read_image(f"{tmp_path}/{path}")
    with pytest.raises(SampleError, match="came through standard input"):
        read_image("-#a.jpg")


def test_records_may_alternate_between_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    monkeypatch.setattr(shard_index, "open_regular", lambda path: opened.append(path) or open_regular(path))
    for number in range(40):
        (tmp_path / f"{number}.tar").write_bytes(tar([("a.jpg", jpeg(number)), ("b.jpg", jpeg(number + 1))]))
    before = len(os.listdir("/proc/self/fd"))
    for member, seed in (("a", 0), ("b", 1)):
        for number in range(3):
            assert read_image(f"{tmp_path}/{number}.tar#{member}.jpg") == jpeg(number + seed)
    assert len(opened) == 3
    for number in range(40):
        read_image(f"{tmp_path}/{number}.tar#a.jpg")
    assert len(os.listdir("/proc/self/fd")) <= before + 32


def test_compressed_shard_with_the_suffix_of_another_one(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    for compress in (gzip.compress, zstandard.compress):
        path.write_bytes(compress(tar(labelled("ab"))))
        (sample, _) = open_source([str(path)], io.BytesIO()).samples
        assert read_encoded(sample) == jpeg(0)
        with pytest.raises(SampleError, match="decompress it first"):
            read_image(sample.path)


def test_member_with_a_name_that_no_file_can_have_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    long = "/".join("x" * 200 for _ in range(30)) + "/a.jpg"
    wide = f"{'y' * 250}.jpg"
    (tmp_path / "s.tar").write_bytes(tar([(long, JPG), (wide, jpeg(1)), ("n01/b.jpg", jpeg(2))]))
    (tmp_path / "s.tar#n01").touch()
    assert [read_image(f"s.tar#{name}") for name in (long, wide, "n01/b.jpg")] == [JPG, jpeg(1), jpeg(2)]


@pytest.mark.parametrize(
    ("sample_id", "member"),
    [
        ("a.tar#n01/b", "n01/b.png"),
        ("n01/b.jpg", "n01/b.png"),
        ("n01/b.jpg@gs", "n01/b@gs.png"),
        ("b.v2.JPEG@fixed:3", "b_v2@fixed:3.png"),
        ("../../etc/passwd", "etc/passwd.png"),
        ("n.01/b", "n.01/b.png"),
        (".hid/.b.jpg", "_hid/_b.png"),
        ("/a.tar#/b", "b.png"),
    ],
)
def test_name_of_an_output_is_one_that_webdataset_understands(sample_id: str, member: str) -> None:
    assert str(output_path(Path("out.tar"), sample_id)) == f"out.tar#{member}"


def test_id_without_a_name_is_refused() -> None:
    for sample_id in ("", "..", "a.tar#", "@gs", "x" * 300):
        with pytest.raises(SampleError):
            output_path(Path("out.tar"), sample_id)


def test_names_with_a_dot_as_a_directory_are_read() -> None:
    data = tar([("imgs/./a.jpg", JPG), ("./b.jpg", JPG)])
    assert [sample.id for sample in open_source([], io.BytesIO(data)).samples] == ["imgs/a", "b"]


def test_json_of_other_programs_with_a_schema_is_ignored() -> None:
    data = tar([("a.jpg", JPG), ("a.json", b'{"schema": "coco"}')])
    (sample,) = open_source([], io.BytesIO(data)).samples
    assert not sample.failed


def test_a_member_of_negative_size_ends_the_shard(tmp_path: Path) -> None:
    info = tarfile.TarInfo("b.jpg")
    info.size = -512
    data = tar([("a.jpg", JPG), ("x.txt", b""), info, ("c.jpg", JPG)], format=tarfile.GNU_FORMAT)
    (tmp_path / "a.tar").write_bytes(data)
    for samples in (read(data), list(open_source([str(tmp_path / "a.tar")], io.BytesIO()).samples)):
        assert [sample.failed for sample in samples] == [False, True]
        assert samples[1].record["error"]["message"] == "damaged tar file: a member of negative size"
    with pytest.raises(SampleError, match="no such member"):
        read_image(f"{tmp_path}/a.tar#b.jpg")
