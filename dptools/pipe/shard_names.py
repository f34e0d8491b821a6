"""Names of shards (tar files in WebDataset form), of the images in them, and of the members that are written."""

import re
from pathlib import Path

from dptools.errors import SampleError
from dptools.pipe.sink import check_name_length
from dptools.pipe.walk import SUFFIXES

COMPRESSED = (".tar.gz", ".tgz", ".tar.zst", ".tzst")
"""The suffixes of compressed shards, which are read but not written."""

SHARD_SUFFIXES = (".tar", *COMPRESSED)
"""The suffixes by which an operand or a listed path is recognised as a shard."""

STDOUT = Path("-")
"""The name of an output shard that is written to standard output."""

_SHARD_ID = re.compile(rf".*?(?:{'|'.join(map(re.escape, SHARD_SUFFIXES))})#", re.IGNORECASE | re.DOTALL)
_ATTACK = re.compile(r"(.*?)((?:@[\w:+-]+)*)", re.DOTALL)


def is_shard(path: str | Path) -> bool:
    """Return whether a path has the suffix of a shard."""
    return str(path).lower().endswith(SHARD_SUFFIXES)


def split(path: str) -> tuple[str, str] | None:
    """Return the shard and the member that a path such as ``a.tar#n01/b.jpg`` names; None if it names no member.

    A shard on standard input is called ``-``.
    """
    if path.startswith("-#"):
        return "-", path[2:]
    match = _SHARD_ID.match(path)
    return (match[0][:-1], path[match.end() :]) if match else None


def inside(path: str) -> str:
    """Return the name of the member that a path names, or the path itself if it names no member of a shard."""
    parts = split(path)
    return parts[1] if parts else path


def member_name(name: str) -> str:
    """Return the name of a member without the parts ``.``, which tar writes if it is given ``.`` or ``DIR/.``."""
    return "/".join(part for part in name.split("/") if part != ".")


def is_output_shard(path: Path) -> bool:
    """Return whether an output is a shard, not a directory."""
    return path == STDOUT or is_shard(path)


def output_path(shard: Path, sample_id: str) -> Path:
    """Return the path of a sample's image in an output shard: ``a.tar#n01/b@x`` gives ``SHARD#n01/b@x.png``.

    Raises:
        SampleError: No member name can be made from the id, or it is too long.
    """
    return Path(f"{shard}#{key_of(sample_id)}.png")


def key_of(sample_id: str) -> str:
    """Return the key of a sample in an output shard: ``a.tar#n01/b@x`` gives ``n01/b@x``.

    WebDataset takes everything before the first dot of the base name as the key. Other dots become underscores.

    Raises:
        SampleError: No member name can be made from the id, or it is too long.
    """
    stem, attacks = _ATTACK.fullmatch(inside(sample_id).replace("\0", "")).groups()  # type: ignore[union-attr]
    parts = [part for part in stem.split("/") if part not in ("", ".", "..")]
    if not parts:
        raise SampleError("BadId", f"no member name can be made from the id {sample_id!r}")
    if parts[-1].lower().endswith(SUFFIXES):
        parts[-1] = parts[-1].rpartition(".")[0] or parts[-1]
    parts[-1] = parts[-1].replace(".", "_")
    parts = [f"_{part[1:]}" if part.startswith(".") else part for part in parts]  # hidden members are not read
    key = "/".join(parts) + attacks
    check_name_length(f"{key}.json")
    return key
