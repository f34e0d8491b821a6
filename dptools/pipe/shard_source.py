"""Make samples from a shard: a tar file in WebDataset form.

Consecutive members whose names differ only in the last suffix belong together: the image ``key.jpg``, its label
``key.cls`` and its record ``key.json``. Other members are ignored. A member that cannot be used becomes an error
record, and the following ones are read.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from dptools.errors import SampleError
from dptools.pipe.forward_file import Readable
from dptools.pipe.record import MAX_LINE, SCHEMA_VERSION, Record, parse
from dptools.pipe.sample import Extent, Sample
from dptools.pipe.shard_names import member_name
from dptools.pipe.shard_stream import MAX_MEMBER, Member, members
from dptools.pipe.walk import SUFFIXES

MAX_LABEL = 4096
"""The longest accepted label, in bytes."""

_LIMITS = {".cls": MAX_LABEL, ".json": MAX_LINE}


def read_shard(stream: Readable, path: str, prefix: str, head: bytes = b"") -> Iterator[Sample]:
    """Yield the samples of a shard, in its order.

    Args:
        stream: The tar file, possibly compressed.
        path: Its path; ``-`` for standard input.
        prefix: The ids of the samples are this prefix and the key.
        head: Bytes that were already read from the stream.

    Yields:
        Samples with the place of their image, if the stream is an uncompressed file. The workers then read the images,
        and this process reads only what is between them. Otherwise, samples with the content of their image.

    Raises:
        SetupError: A package for decompression is missing.
    """
    shard = _Shard(path, prefix)
    try:
        for member in members(stream, head):
            yield from shard.add(member)
        yield from shard.end_group()
        if not shard.found:
            raise SampleError("NoImages", "shard without images")
    except (SampleError, OSError) as error:
        if path == "-" and isinstance(error, SampleError) and error.kind == "EmptyFile":
            return  # an empty stream, as for the other formats
        kind = error.kind if isinstance(error, SampleError) else type(error).__name__
        message = error.message if isinstance(error, SampleError) else error.strerror or str(error)
        yield from shard.end_group(damage=kind)
        yield Sample({"schema": SCHEMA_VERSION, "id": path, "path": path, "source": path}).fail("", kind, message)


@dataclass
class _Group:
    """The members that share a key.

    Attributes:
        image: The name of the image, and its content or place; None if there is none.
        failed: Whether one of the members has already become an error record.
    """

    key: str = ""
    image: tuple[str, bytes | Extent] | None = None
    label: str | None = None
    record: Record | None = None
    failed: bool = False


@dataclass
class _Shard:
    """Collects members into groups, and makes a sample from each.

    Attributes:
        found: Whether the shard holds an image.
        keys: The hashes of all keys. They are the only data that grows with the number of members.
        orphan: Whether a label or record without an image was found. Only the first one becomes an error record.
    """

    path: str
    prefix: str
    found: bool = False
    keys: set[int] = field(default_factory=set)
    orphan: bool = False
    group: _Group = field(default_factory=_Group)

    def add(self, member: Member) -> Iterator[Sample]:
        """Add a member, and yield the sample of the previous group if the member begins another one."""
        name = member_name(member.info.name)
        directory, slash, base = name.rpartition("/")
        stem, dot, ending = base.rpartition(".") if "." in base else (base, "", "")
        suffix = f"{dot}{ending}".lower()
        if member.info.isdir() or any(part.startswith(".") and part != ".." for part in name.split("/")):
            return
        if (key := f"{directory}{slash}{stem}") != self.group.key:
            yield from self.end_group()
            self.group = _Group(key)
        try:
            _check(member, name, suffix)
            if suffix in (*SUFFIXES, *_LIMITS):
                self._take(name, suffix, member)
        except SampleError as error:
            if error.kind in ("CutOff", "DamagedTar", "DecompressionBomb"):
                raise  # no other member can be read
            self.found = True
            self.group.failed |= error.kind != "DuplicateKey"  # the first image of a key is read
            yield self._failed(name, error)

    def end_group(self, damage: str = "") -> Iterator[Sample]:
        """Yield the sample of the current group, and start an empty one.

        Args:
            damage: The kind of error that ends the shard. An image before it fails, because a label or a record may
                have been lost.
        """
        group, self.group = self.group, _Group()
        if group.image and not group.failed:
            name, content = group.image
            record = group.record or self._record(group.key, name)
            if record["source"] == f"{self.path}#{group.key}.json":  # the record states no source
                record["source"] = f"{self.path}#{name}"
            record |= {"path": f"{self.path}#{name}"} | ({} if group.label is None else {"label": _index(group.label)})
            sample = Sample(record, reported="error" in record)
            if damage:
                message = "the shard is damaged or cut off after this image, so its label or record may be lost"
                sample = sample.fail("", damage, message)
            yield sample if sample.finished else _with_content(sample, content)
        elif group.record and ("error" in group.record or "skipped" in group.record):
            self.found = True
            yield Sample(group.record, reported="error" in group.record)
        elif (group.record or group.label) and not group.failed and not self.orphan:
            self.orphan = True
            name, what = (f"{group.key}.json", "record") if group.record else (f"{group.key}.cls", "label")
            message = f"a {what} without an image beside it: the members of a key must be consecutive (tar --sort=name)"
            yield Sample(self._record(group.key, name)).fail("", "NoImage", message)

    def _take(self, name: str, suffix: str, member: Member) -> None:
        if suffix == ".cls":
            self.group.label = member.read().decode("utf-8", "replace").strip() or None
        elif suffix == ".json":
            self.group.record = self._parse(member.read(), name)
        else:
            self.found = True
            if self.group.image or hash(self.group.key) in self.keys:
                raise SampleError("DuplicateKey", f"the shard holds another image with the key {self.group.key}")
            self.keys.add(hash(self.group.key))
            extent = None if self.path == "-" else member.extent(self.path)
            self.group.image = name, extent or member.read()

    def _parse(self, text: bytes, name: str) -> Record | None:
        """Return the record in a member; None if the member holds JSON of another program."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise SampleError("BadJSON", "not valid JSON") from None
        if not isinstance(value, dict) or not isinstance(value.get("schema"), int):
            return None
        return parse(json.dumps({**self._record(self.group.key, name), **value, "path": f"{self.path}#{name}"}))

    def _record(self, key: str, name: str) -> Record:
        path = f"{self.path}#{name}"
        return {"schema": SCHEMA_VERSION, "id": self.prefix + key, "path": path, "source": path}

    def _failed(self, name: str, error: SampleError) -> Sample:
        return Sample(self._record(self.group.key, name)).fail("", error.kind, error.message)


def _with_content(sample: Sample, content: bytes | Extent) -> Sample:
    return replace(sample, extent=content) if isinstance(content, Extent) else replace(sample, encoded=content)


def _check(member: Member, name: str, suffix: str) -> None:
    """Check that a member can be used.

    Raises:
        SampleError: Its name leads out of the shard, or it is a device, or an image that is a link or too large.
    """
    info = member.info
    if name.startswith("/") or ".." in name.split("/"):
        raise SampleError("BadName", "refused: the name of the member is absolute or contains ..")
    if info.isdev():
        raise SampleError("BadMember", "refused: the member is a device or a pipe")
    if suffix not in (*SUFFIXES, *_LIMITS):
        return
    if not info.isreg() or info.issparse():
        raise SampleError("BadMember", "the member is a link or a sparse file: pack it again with tar --dereference")
    if info.size > (limit := _LIMITS.get(suffix, MAX_MEMBER)):
        raise SampleError("TooLarge", f"the member has {info.size:,} bytes, more than {limit:,}")


def _index(label: str) -> int | str:
    return int(label) if label.isdecimal() and len(label) < 10 else label
