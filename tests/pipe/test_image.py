"""Decoding to 8-bit sRGB, and encoding without loss."""

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageCms

from dptools.errors import SampleError
from dptools.pipe.encoding import encode
from dptools.pipe.image import decode

PIXELS = arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))
RECORD = {"schema": 2, "id": "a.png@gs", "path": "x/a@gs.png", "source": "a.png", "label": 3}


def file(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


@given(PIXELS)
def test_decoding_what_was_encoded_gives_the_same_pixels(pixels: Any) -> None:
    assert np.array_equal(decode(encode(pixels, RECORD)).pixels, pixels)


def test_png_contains_the_record_without_volatile_keys() -> None:
    pixels = np.zeros((4, 5, 3), np.uint8)
    stage = {"tool": "t", "version": "1", "params": {}}
    timed = {**RECORD, "cached": True, "stages": [{**stage, "seconds": 3.2}]}
    data = encode(pixels, timed)
    inside = decode(data).record
    assert inside is not None
    assert inside["label"] == 3
    assert inside["id"] == "a.png@gs"
    assert inside["stages"] == [stage]
    assert data == encode(pixels, {**timed, "path": "elsewhere", "stages": [stage]})


def test_png_contains_all_keys_in_objects_of_the_user() -> None:
    exposure = {"seconds": 0.01, "cached": False, "files": [{"path": "a.raw"}]}
    inside = decode(encode(np.zeros((4, 5, 3), np.uint8), {**RECORD, "exposure": exposure})).record
    assert inside is not None
    assert inside["exposure"] == exposure


@pytest.mark.parametrize("text", ["{}", "nonsense", '{"label": "x", "id": 5}', "[" * 50_000, "[1]"])
def test_invalid_embedded_record_is_ignored_with_a_note(text: str) -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("dptools", text)
    data = file(Image.new("RGB", (3, 3)), pnginfo=info)
    decoded = decode(data)
    assert decoded.record is None or text == "{}"
    assert text == "{}" or any("embedded record ignored" in note for note in decoded.notes)


def test_alpha_is_composited_over_white() -> None:
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    assert decode(file(image)).pixels.tolist() == [[[255, 0, 0], [255, 255, 255]]]


def test_transparency_of_palette_and_grey_is_composited_over_white() -> None:
    palette = Image.new("P", (1, 1), 1)
    palette.putpalette([0, 0, 0, 0, 0, 255])
    assert decode(file(palette, transparency=1)).pixels.tolist() == [[[255, 255, 255]]]
    assert decode(file(palette)).pixels.tolist() == [[[0, 0, 255]]]
    assert decode(file(Image.new("LA", (1, 1), (0, 0)))).pixels.tolist() == [[[255, 255, 255]]]


def test_16_bits_are_rounded_to_8() -> None:
    image = Image.fromarray(np.array([[0, 65535, 32896, 200]], np.uint16))
    assert decode(file(image)).pixels[0, :, 0].tolist() == [0, 255, 128, 1]


def linear_grey() -> bytes:
    """Return the colour profile of a grey image whose values are proportional to the luminance."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv" + bytes(8)
    text = b"desc\0\0\0\0" + struct.pack(">I", 7) + b"linear\0" + bytes(78)
    tags = {b"wtpt": white, b"kTRC": curve, b"desc": text + bytes(-len(text) % 4)}
    table, content = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(content), len(data))
        content += data
    header = bytes(4) + b"lcms\x02\x10\0\0mntrGRAYXYZ " + bytes(12) + b"acsp" + bytes(28)
    header += struct.pack(">3i", 63190, 65536, 54061)
    header += bytes(128 - len(header))
    return struct.pack(">I", 128 + len(table) + len(content)) + header[4:] + table + content


def test_profile_of_a_grey_image_is_applied_at_every_depth() -> None:
    for pixels in (np.full((1, 1), 128, np.uint8), np.full((1, 1), 128 * 257, np.uint16)):
        decoded = decode(file(Image.fromarray(pixels), icc_profile=linear_grey()))
        assert decoded.pixels.tolist() == [[[188, 188, 188]]]
        assert "colour profile linear converted to sRGB" in decoded.notes


def test_transparent_colour_of_16_bits_is_white() -> None:
    grey = Image.fromarray(np.array([[0, 1, 65535]], np.uint16))
    decoded = decode(file(grey, transparency=0))
    assert decoded.pixels[0, :, 0].tolist() == [255, 0, 255]
    assert "transparency composited over white" in decoded.notes
    colour = png(16, 2, bytes.fromhex("ff00 8000 0100 ff00 8000 0200"), bytes.fromhex("ff00 8000 0100"))
    assert decode(colour).pixels.tolist() == [[[255, 255, 255], [255, 128, 2]]]


def png(bits: int, kind: int, pixels: bytes, transparent: bytes) -> bytes:
    """Return a PNG file of two pixels. Pillow cannot write 16 bits per channel."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, bits, kind, 0, 0, 0))
    content = chunk(b"tRNS", transparent) + chunk(b"IDAT", zlib.compress(b"\0" + pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + content


def tiff(bits: int, pixels: bytes, photometric: int = 1) -> bytes:
    """Return a grey TIFF file of two pixels."""
    tags = {256: 2, 257: 1, 258: bits, 259: 1, 262: photometric, 273: 122, 277: 1, 278: 1, 279: len(pixels)}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + directory + bytes(4) + pixels


def test_grey_tiff_files_of_every_depth() -> None:
    white = 0  # the value of the tag: 0 is white
    for data, values in (
        (tiff(8, bytes([0, 200]), white), [255, 55]),
        (tiff(16, struct.pack("<HH", 0, 200 * 257), white), [255, 55]),
        (tiff(16, struct.pack("<HH", 0, 200 * 257)), [0, 200]),
        (tiff(12, bytes.fromhex("ff f0 00")), [255, 0]),
    ):
        assert decode(data).pixels[0, :, 0].tolist() == values
    assert "12-bit samples reduced to 8 bits" in decode(tiff(12, bytes.fromhex("ff f0 00"))).notes


@pytest.mark.parametrize("maximum", [1, 65535, 2**31 - 1])
def test_integers_of_32_bits_are_refused(maximum: int) -> None:
    with pytest.raises(SampleError, match="range of values in mode I is unknown"):
        decode(tiff(32, struct.pack("<II", 0, maximum)))


def test_floating_point_values_are_refused() -> None:
    with pytest.raises(SampleError, match="range of values in mode F is unknown"):
        decode(file(Image.new("F", (2, 2), 0.5), "TIFF"))


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_orientation_is_applied(turn: int) -> None:
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:4, :8] = 255
    upright = Image.fromarray(pixels)
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[turn]) if turn in undo else upright
    exif = Image.Exif()
    exif[0x0112] = turn
    assert np.array_equal(decode(file(stored, exif=exif)).pixels, pixels)


def test_colour_profiles_are_converted_to_srgb() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.new("RGB", (1, 1), (10, 200, 30))
    assert decode(file(image, icc_profile=profile)).pixels.tolist() == [[[10, 200, 30]]]
    broken = decode(file(image, icc_profile=b"no profile"))
    assert broken.pixels.tolist() == [[[10, 200, 30]]]
    assert broken.notes == ("broken colour profile ignored",)


def test_srgb_profile_changes_no_pixels_and_other_profiles_do() -> None:
    # The other profile is sRGB with red and blue exchanged.
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    entry = {own[at : at + 4]: int.from_bytes(own[at + 4 : at + 8], "big") for at in range(132, 132 + 12 * 16, 12)}
    red, blue = (own[entry[name] : entry[name] + 20] for name in (b"rXYZ", b"bXYZ"))
    other = own.replace(red, b"-" * 20).replace(blue, red).replace(b"-" * 20, blue)
    pixels = noise((40, 40))
    assert np.array_equal(decode(file(pixels, icc_profile=own)).pixels, np.asarray(pixels))
    swapped = decode(file(pixels, icc_profile=other)).pixels
    assert np.abs(swapped[..., ::-1].astype(int) - np.asarray(pixels)).max() <= 2
    assert decode(file(pixels, icc_profile=own)).notes == ()
    assert decode(file(pixels, icc_profile=other)).notes == ("colour profile sRGB built-in converted to sRGB",)


def test_profile_of_palette_image_is_applied() -> None:
    palette = Image.new("RGB", (1, 1), (10, 200, 30)).quantize(2)
    assert decode(file(palette, icc_profile=b"no profile")).notes == ("broken colour profile ignored",)


def test_postscript_is_refused() -> None:
    with pytest.raises(SampleError, match="PostScript program: render it first"):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")


def test_cmyk_is_converted() -> None:
    data = file(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG", quality=100)
    assert decode(data).pixels.min() >= 250


def test_first_of_several_frames_is_returned_with_a_note() -> None:
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue", "lime")]
    decoded = decode(file(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert decoded.pixels[0, 0].tolist() == [255, 0, 0]
    assert decoded.notes == ("first of 3 frames",)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "EmptyFile"),
        (b"hello, world", "NotAnImage"),
        (b"\x89PNG\r\n\x1a\n", "NotAnImage"),
        (file(Image.new("RGB", (99, 99), "red"))[:150], "DamagedImage"),
        (file(noise((99, 99)), "JPEG")[:1500], "DamagedImage"),
    ],
)
def test_incomplete_image_is_refused(data: bytes, kind: str) -> None:
    with pytest.raises(SampleError) as caught:
        decode(data)
    assert caught.value.kind == kind


def test_decompression_bomb_is_refused_without_decoding() -> None:
    header = file(Image.new("1", (20_000, 20_000)))
    with pytest.raises(SampleError, match="bomb"):
        decode(header)


def test_decoding_in_threads_refuses_bombs_and_keeps_the_filters_of_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    before = list(warnings.filters)
    small, bomb = file(noise((15, 20))), file(noise((16, 20)))

    def kind(data: bytes) -> str:
        try:
            return str(decode(data).pixels.shape)
        except SampleError as error:
            return error.kind

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(kind, [small, bomb] * 50)) == ["(20, 15, 3)", "DecompressionBomb"] * 50
    assert list(warnings.filters) == before


KINDS = {"PNG": {}, "JPEG": {}, "GIF": {}, "BMP": {}, "TIFF": {}, "WEBP": {}, "PPM": {}, "ICO": {}, "TGA": {}}


@settings(max_examples=300)
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_damaged_file_raises_only_sample_errors(kind: str, data: st.DataObject) -> None:
    content = bytearray(file(noise((17, 13)), kind))
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.integers(0, len(content)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pixels = decode(bytes(content[:cut])).pixels
    except SampleError as error:
        assert error.message  # noqa: PT017
    else:
        assert pixels.dtype == np.uint8
        assert pixels.shape[2] == 3
