"""Name formats that the tools do not read, and what to do with such files, for error messages."""

import os
import re
from collections import Counter

from dptools.pipe.parquet_file import START as PARQUET_START
from dptools.pipe.shard_stream import is_header

_VIDEO = "a video: extract its frames first (ffmpeg -i IN %06d.png)"

_MAGIC = {
    rb"%PDF": "a PDF file: render its pages first (pdftoppm -png)",
    rb"%!PS": "a PostScript program: render it first (gs)",
    rb".{4}ftyp(?!avi[fs]|hei[cxms]|hev[cxms]|mif1|msf1)": _VIDEO,
    rb"\x1aE\xdf\xa3": _VIDEO,
    rb"PK(\x03\x04|\x05\x06)": "a ZIP archive: unpack it first (unzip)",
    rb"7z\xbc\xaf": "a 7-Zip archive: unpack it first (7z x)",
    rb"Rar!": "a RAR archive: unpack it first (unrar x)",
    rb"\x1f\x8b": "compressed with gzip: decompress it first (gzip -dc)",
    rb"\x28\xb5\x2f\xfd": "compressed with Zstandard: decompress it first (zstd -dc)",
    rb"\xfd7zXZ": "compressed with xz: decompress it first (xz -dc)",
    rb"BZh[1-9]1AY": "compressed with bzip2: decompress it first (bzip2 -dc)",
    PARQUET_START: "a Parquet file: use it as standard input, or rename it to FILE.parquet",
    rb"\x93NUMPY": "a NumPy array: save it as images first",
    rb"\x89HDF": "an HDF5 file: save its images first",
    rb"\s*\{\s*\"": "a file of records: read it from standard input (dp-... < FILE)",
    rb"\s*<(svg|\?xml|!DOCTYPE|!doctype|html|HTML)": "text such as HTML or SVG, not an image",
}
"""Descriptions by regular expression."""

_SUFFIXES = {
    **dict.fromkeys((".mp4", ".mov", ".avi", ".mkv", ".webm"), "extract the frames first (ffmpeg -i IN %06d.png)"),
    **dict.fromkeys((".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2"), "develop raw photographs first"),
    **dict.fromkeys((".tar", ".gz", ".tgz", ".zst", ".tzst"), "name shards (tar files) as operands"),
    **dict.fromkeys((".zip", ".7z", ".rar"), "unpack archives first"),
    **dict.fromkeys((".jxl", ".exr", ".hdr", ".svg", ".eps", ".pdf", ".psd"), "convert them to PNG first"),
    **dict.fromkeys((".jsonl", ".json"), "records are read from standard input: dp-... < FILE"),
    ".npy": "save the arrays as images first",
}

_LISTED = 1000
"""The number of files whose suffixes a message counts."""


def describe(data: bytes) -> str | None:
    """Return what a file is and what to do with it, from its first bytes; None if the format is not known.

    Args:
        data: The file, or its first 512 bytes.
    """
    if is_header(data[:512]):
        return "a tar file: use it as standard input, or rename it to FILE.tar"
    return next((text for magic, text in _MAGIC.items() if re.match(magic, data[:512], re.DOTALL)), None)


def mistaken_for_paths(head: bytes) -> str | None:
    """Return why standard input is no list of paths, and a remedy; None if it may be one.

    Args:
        head: The first bytes, up to the first newline or 512 bytes.
    """
    if array := re.match(rb"(?:\xef\xbb\xbf)?\s*\[\s*([{\"])", head):
        option = "-c" if array[1] == b"{" else "-r"
        return f"standard input is a JSON array: make a line of each element (jq {option} '.[]')"
    if known := describe(head):
        return f"standard input is {known}"
    if not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head):
        return None
    if re.fullmatch(rb"[^\x01-\x1f]+", head) and head.strip(b"\0"):
        return "standard input contains NUL bytes: add -0 if each path ends in NUL (find -print0)"
    return "standard input is binary data in an unknown format, not a list of paths; for an image, add --from image"


def unsupported_files(directory: str) -> str:
    """Return a message for a directory without images: the suffixes of its files, and what to do with the first."""
    counts: Counter[str] = Counter()
    for _, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".")]
        counts.update(os.path.splitext(name)[1].lower() for name in names if not name.startswith("."))
        if counts.total() > _LISTED:
            break
    listed = [f"{count} {suffix}" for suffix, count in counts.most_common(3) if suffix]
    remedies = dict.fromkeys(_SUFFIXES[suffix] for suffix, _ in counts.most_common(3) if suffix in _SUFFIXES)
    held = f" (it holds {', '.join(listed)})" if listed else ""
    return f"directory without images{held}" + "".join(f"; {remedy}" for remedy in remedies)
