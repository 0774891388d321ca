"""Valid input files, and all the ways in which the fuzzer spoils them.

Every function takes a ``random.Random`` and gives text or bytes, so that a case is the same
for the same seed. ``CANARY`` is the file that a pickle would write if anything unpickled it.
"""

from __future__ import annotations

import io
import os
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import tifffile

ROOT = Path(__file__).parents[2]
CANARY = "unpickled"

RECIPE = """\
description = "Test."
dimension = 2
grains = 9
grain_size_nm = 100
periodic = true

[seeding]
law = "lloyd"
steps = 1

[grain_sizes]
law = "log-normal"
coefficient_of_variation = 0.3

[orientation]
law = "random"

[phases]
LLZO = 0.5
LCO = 0.5
"""

STUDY = """\
[study]
title = "Test"
question = "Does it load?"
seed = 7

[[ensembles]]
name = "2D"
recipe = "recipe.toml"
cells = [16, 16]

[sweep]
volume_fraction = { phase = "LLZO", values = [0.2, 0.8] }
grain_size_nm = [200, 1000]
realisations = 3

[phases]
LLZO = "property.toml"
LCO = "Li0.53CoO2"

[boundaries]
"LLZO|LLZO" = "LLZO-LLZO-by-sigma"
"LCO|LCO" = "film.toml"
"LLZO|LCO" = "LLZO-LCO"

[segregation]
LCO = 2.0

[space_charge."LCO|LCO"]
potential_V = 0.1
model = "mott-schottky"
relative_permittivity = 50
density_per_cm3 = 1e20
charge = 1

[transport]
temperatures_K = [300, 400]
driving_force = "concentration"
boundary = "periodic"
rtol = 1e-5
backend = "multigrid"
scheme = "faces"
"""

JUNK = (
    "nan", "inf", "-inf", "-1", "0", "-0.0", "1e400", "1e308", "1e-320", "-1e308", "0.1", "1.5",
    "1" * 40, "1" * 400, "9" * 5000, str(2**63), str(-(2**63)), "0x7fffffff", "0x" + "f" * 6000,
    "1_000_000_000_000",
    '""', '" "', '"a"', '"nan"', '"300"', '"\\u0000"', '"a\\u0000.toml"', '"\\u001b[31mred"',
    '"line\\nline"', '"parsec"', '"cm2"', '"eV"', '"m2/s"', '"kg"', '"LLZO"', '"LLZO-LLZO"',
    '"blocked"', '"study.toml"', '"recipe.toml"', '"../../../../etc/passwd"', '"/dev/zero"',
    '"/dev/zero.toml"', '"."', '"/"', '".toml"', '"' + "x" * 5000 + '"', '"' + "x" * 300 + '.toml"',
    "[]", "[[]]", "[1]", "[1, 2, 3, 4]", "[0, 0]", "[16, 16, 16]", "[1000000, 1000000]",
    "[-1, 5]", "[nan, 1]", '["a", "b"]', "[true]", "{}", "{ a = 1 }", "true", "false",
    "1979-05-27", "1979-05-27T07:32:00Z", "07:32:00", "[1, 'a', {}]", "{ phase = 'LLZO' }", "",
)  # fmt: skip


def atomistics() -> str:
    """The atomistic study of the repository."""
    return (ROOT / "runs/llzo-lco-atomistics/atomistics.toml").read_text(encoding="utf-8")


def library() -> list[str]:
    """All property files of the library."""
    folder = ROOT / "multiscale/properties/library"
    return [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.toml"))]


def a_material(rng: random.Random) -> str:
    """One of the library's materials."""
    return rng.choice([text for text in library() if 'kind = "material"' in text])


def a_film(rng: random.Random) -> str:
    """One of the library's boundaries that names no other file."""
    return rng.choice(
        [text for text in library() if 'kind = "boundary"' in text and "use =" not in text]
    )


# --- text ---


def _lines(text: str, rng: random.Random, wanted: Callable[[str], bool]) -> tuple[list[str], int]:
    lines = text.split("\n")
    places = [k for k, line in enumerate(lines) if wanted(line)] or [0]
    return lines, rng.choice(places)


def _has_key(line: str) -> bool:
    return "=" in line and not line.startswith("#")


def drop_line(text: str, rng: random.Random) -> str:
    """A key or a table is missing."""
    lines, place = _lines(text, rng, lambda line: _has_key(line) or line.startswith("["))
    del lines[place]
    return "\n".join(lines)


def repeat_line(text: str, rng: random.Random) -> str:
    """A key or a table comes twice, beside the first or somewhere else."""
    lines, place = _lines(text, rng, lambda line: _has_key(line) or line.startswith("["))
    lines.insert(rng.choice([place, rng.randrange(len(lines) + 1)]), lines[place])
    return "\n".join(lines)


def misspell(text: str, rng: random.Random) -> str:
    """A key with a letter too many, too few, or another."""
    lines, place = _lines(text, rng, _has_key)
    key, equals, rest = lines[place].partition("=")
    at = rng.randrange(max(len(key), 1))
    letter = rng.choice("aeZ_0-.\"'|é \t")
    key = rng.choice([key[:at] + key[at + 1 :], key[:at] + letter + key[at:], key.upper()])
    lines[place] = key + equals + rest
    return "\n".join(lines)


def junk_value(text: str, rng: random.Random) -> str:
    """A value of another type, size or unit."""
    lines, place = _lines(text, rng, _has_key)
    key, _, value = lines[place].partition("=")
    if "{" in value and rng.random() < 0.6:  # inside an inline table
        parts = value.split("=")
        at = rng.randrange(1, len(parts))
        end = min((parts[at].find(c) for c in ",}" if c in parts[at]), default=len(parts[at]))
        parts[at] = f" {rng.choice(JUNK)}{parts[at][end:]}"
        value = "=".join(parts)
    else:
        value = f" {rng.choice(JUNK)}"
    lines[place] = f"{key}={value}"
    return "\n".join(lines)


def other_number(text: str, rng: random.Random) -> str:
    """One number of the file, many decades off or of the other sign."""
    places = [k for k, c in enumerate(text) if c.isdigit() and not text[k - 1].isdigit()]
    if not places:
        return text
    at = rng.choice(places)
    end = at
    while end < len(text) and text[end] in "0123456789.eE+-_":
        end += 1
    return text[:at] + rng.choice(["nan", "1e300", "1e-300", "-7", "0", "1e9", "7e7"]) + text[end:]


def deep(text: str, rng: random.Random) -> str:
    """Very deep nesting."""
    n = rng.choice([50, 500, 5000, 100_000])
    made = rng.choice(
        [
            "x = " + "[" * n + "]" * n,
            "x = " + "[" * n,
            "x = " + "{ a = " * n,
            ".".join(["a"] * n) + " = 1",
            "[" + ".".join(["a"] * n) + "]",
            "x = " + "{ a = " * n + "1" + " }" * n,
        ]
    )
    return rng.choice([made + "\n" + text, text + "\n" + made, made])


def shuffle_lines(text: str, rng: random.Random) -> str:
    """Lines in another order: keys land in other tables."""
    lines = text.split("\n")
    first = rng.randrange(len(lines))
    second = min(len(lines), first + rng.randrange(2, 12))
    part = lines[first:second]
    rng.shuffle(part)
    return "\n".join(lines[:first] + part + lines[second:])


TEXT: dict[str, Callable[[str, random.Random], str]] = {
    "key missing": drop_line,
    "key twice": repeat_line,
    "key misspelt": misspell,
    "value of another kind": junk_value,
    "number far off": other_number,
    "nested deep": deep,
    "lines moved": shuffle_lines,
}


# --- bytes ---


def cut(data: bytes, rng: random.Random) -> bytes:
    """Cut short at any byte."""
    return data[: rng.randrange(len(data) + 1)]


def flip(data: bytes, rng: random.Random) -> bytes:
    """Some bits turned over."""
    made = bytearray(data or b"\0")
    early = rng.random() < 0.5  # headers are where it hurts
    for _ in range(rng.choice([1, 1, 2, 8, 64])):
        made[rng.randrange(min(len(made), 512) if early else len(made))] ^= 1 << rng.randrange(8)
    return bytes(made)


def splice(data: bytes, rng: random.Random) -> bytes:
    """Bytes put in, taken out or repeated."""
    at, length = rng.randrange(len(data) + 1), rng.choice([1, 3, 16, 300])
    middle = rng.choice([rng.randbytes(length), data[at : at + length] * 2, b""])
    return data[:at] + middle + data[at + rng.choice([0, length]) :]


def odd_text(data: bytes, rng: random.Random) -> bytes:
    """Bytes that are not UTF-8, or not text."""
    whole = rng.choice(
        [
            b"", b"\0" * 100, b"\xff\xfe" + data, b"\xef\xbb\xbf" + data, b"\x80abc", b"\r" + data,
            data.decode("utf-8", "ignore").encode("utf-16"), rng.randbytes(1000), b"PK\x03\x04",
        ]
    )  # fmt: skip
    at = rng.randrange(len(data) + 1)
    inside = data[:at] + rng.choice([b"\xff", b"\x00", b"\xc3", b"\x1b[2J", b"\r"]) + data[at:]
    return rng.choice([whole, inside])


BYTES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut short": cut,
    "bits flipped": flip,
    "bytes spliced": splice,
    "not text": odd_text,
}


def no_file(path: Path, rng: random.Random) -> None:
    """Something else than a file under this name, or nothing."""
    kind = rng.choice(["missing", "folder", "loop", "pipe", "device", "dangling", "unreadable"])
    if kind == "folder":
        path.mkdir()
    elif kind == "loop":
        other = path.with_name(f"other{path.suffix}")
        other.symlink_to(path)
        path.symlink_to(other)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "dangling":
        path.symlink_to(path.with_name("nowhere"))
    elif kind == "unreadable":
        path.write_bytes(b"")
        path.chmod(0)


# --- images ---


class _Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def image(suffix: str, folder: Path, rng: random.Random) -> bytes:
    """A valid image of two labels."""
    shape = rng.choice([(6, 5), (4, 3, 5)])
    values = np.array([rng.randrange(2) for _ in range(int(np.prod(shape)))])
    values = values.reshape(shape).astype(rng.choice(["u1", "<i4", ">i2", "<f8"]))
    path = folder / f"valid{suffix}"
    spacing = [1e-9] * len(shape)
    if suffix == ".npy":
        np.save(path, values)
    elif suffix == ".npz":
        save = rng.choice([np.savez, np.savez_compressed])
        save(path, phases=values, spacing=np.array(spacing), phase_names=np.array(["A", "B"]))
    else:
        from multiscale.microstructure import write_image

        native = values.astype(values.dtype.newbyteorder("="))
        write_image(path, {"labels": native}, spacing=spacing)
    data = path.read_bytes()
    path.unlink()
    return data


def npy_header(descr: str, shape: str, fortran: str = "False") -> bytes:
    """The header of an .npy file, whatever it says."""
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin-1")


def hostile_npy(folder: Path, rng: random.Random) -> bytes:
    """An .npy file that lies, or holds a pickle."""
    if rng.random() < 0.3:
        buffer = io.BytesIO()
        trapped = np.empty((2, 2), dtype=object)
        trapped[:] = [[_Trap(folder / CANARY)] * 2] * 2
        np.save(buffer, trapped, allow_pickle=True)
        return buffer.getvalue()
    descr = rng.choice(
        ["'<f8'", "'|u1'", "'|O'", "'|V8'", "'<U4'", "'<M8[s]'", "'<c16'", "'<f2'", "'|b1'",
         "[('a', '<f8')]", "'<f16'", "'nonsense'", "__import__('os')", "'<i8'"]
    )  # fmt: skip
    shape = rng.choice(
        ["(1000000, 1000000)", "(1000000000000,)", "(-1, 5)", "(2, 3)", "()", "(0, 3)", "(2,)",
         "(1, 1, 1, 1, 1)", "(10**12, 2)", "'x'", "(2.5, 2)", "(9999999999999999999, 9)",
         "(" + "1, " * 70 + ")", "(65536, 65536)", "None"]
    )  # fmt: skip
    return npy_header(descr, shape, rng.choice(["False", "True", "1"])) + rng.randbytes(
        rng.choice([0, 5, 48, 400])
    )


def zip_of(name: str, raw: bytes, size: int, crc: int, method: int = 8) -> bytes:
    """A zip archive of one member, with the sizes one likes to give."""
    local = struct.pack(
        "<IHHHHHIIIHH", 0x04034B50, 20, 0, method, 0, 0, crc, len(raw), size, len(name), 0
    )
    head = struct.pack(
        "<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, 0, method, 0, 0, crc, len(raw), size,
        len(name), 0, 0, 0, 0, 0, 0,
    )  # fmt: skip
    body = local + name.encode() + raw
    central = head + name.encode()
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(central), len(body), 0)
    return body + central + end


def bomb(gigabytes: float) -> bytes:
    """A compressed .npy member that swells a thousand times, as its header says."""
    block, count = b"\0" * 2**20, int(gigabytes * 2**10)
    header = npy_header("'|u1'", f"({2**10}, {2**10 * count})")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(header) + packer.flush(zlib.Z_FULL_FLUSH)
    same = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    raw = first + same * count + packer.flush()
    return zip_of("labels.npy", raw, len(header) + count * len(block), 0)


def hostile_npz(folder: Path, rng: random.Random) -> bytes:
    """An .npz archive that swells, lies, or holds pickles."""
    kind = rng.choice(["bomb", "member", "member", "phases", "names", "sizes"])
    if kind == "bomb":
        return bomb(rng.choice([2.5, 3.5]))
    if kind == "sizes":
        member = hostile_npy(folder, rng)
        packed = zlib.compress(member, 9)[2:-4]
        size = rng.choice([0, len(member), 2**31, 2**32 - 1])
        return zip_of("labels.npy", packed, size, zlib.crc32(member))
    buffer, valid = io.BytesIO(), io.BytesIO()
    np.save(valid, np.eye(3, dtype=np.uint8))
    with zipfile.ZipFile(buffer, "w") as archive:
        if kind == "member":
            archive.writestr("labels.npy", hostile_npy(folder, rng))
        else:
            archive.writestr("labels.npy", valid.getvalue())
        if kind == "phases":
            archive.writestr("phase_names.npy", hostile_npy(folder, rng))
            archive.writestr("spacing.npy", hostile_npy(folder, rng))
        if kind == "names":
            odd = rng.choice(["../../out.npy", "a/b.npy", "x" * 1000 + ".npy", "plain", ""])
            archive.writestr(odd or "é.npy", valid.getvalue())
    return buffer.getvalue()


def hostile_hdf5(folder: Path, rng: random.Random) -> bytes:
    """An HDF5 file that points elsewhere, or says it is huge."""
    path = folder / "hostile.h5"
    kind = rng.choice(
        ["huge", "external link", "soft link", "loop", "external storage", "virtual", "types",
         "attributes", "many"]
    )  # fmt: skip
    with h5py.File(path, "w") as file:
        if kind == "huge":
            side = rng.choice([10**6, 10**5, 3 * 10**4])
            file.create_dataset("labels", shape=(side, side), dtype="u8", chunks=(64, 64))
        elif kind == "external link":
            file["labels"] = h5py.ExternalLink(rng.choice(["/dev/zero", "other.h5"]), "/labels")
        elif kind == "soft link":
            file["labels"] = h5py.SoftLink(rng.choice(["/labels", "/nowhere"]))
        elif kind == "loop":
            file["group"] = file["/"]
            file["labels"] = np.eye(3)
        elif kind == "external storage":
            secret = folder / "secret.txt"
            secret.write_bytes(b"S" * 64)
            file.create_dataset("labels", (8, 8), "u1", external=[(str(secret), 0, 64)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout(shape=(4, 4), dtype="u1")
            layout[:] = h5py.VirtualSource("other.h5", "labels", shape=(4, 4))
            file.create_virtual_dataset("labels", layout)
        elif kind == "types":
            odd = rng.choice([h5py.string_dtype(), h5py.vlen_dtype("i4"), h5py.ref_dtype, "c16"])
            file.create_dataset("labels", (2, 2), dtype=odd)
        elif kind == "attributes":
            file["labels"] = np.eye(3)
            file.attrs["spacing"] = rng.choice([[np.nan] * 2, [0, 0], "a", [[1, 2]], [-1, 1]])
            file["labels"].attrs["phase_names"] = rng.choice([[1, 2], 5, b"\xff\xff", [0.5]])
        else:
            for number in range(300):
                file[f"d{number}"] = np.eye(2)
    data = path.read_bytes()
    path.unlink()
    return data


def hostile_tiff(folder: Path, rng: random.Random) -> bytes:
    """A TIFF file whose tags say more than it holds."""
    path = folder / "hostile.tif"
    kind = rng.choice(["size", "size", "description", "imagej", "loop", "colour"])
    if kind == "description":
        text = rng.choice(
            ['{"shape": [1000000, 1000000]}', '{"shape": [5, 6], "name": [1]}', "[1]", "{", "null",
             '{"shape": [5, 6], "spacing_m": "x"}', '{"shape": [5, 6], "phase_names": 7}',
             '{"shape": [5, 6], "spacing_m": [1e999, -1]}', "[" * 100_000]
        )  # fmt: skip
        tifffile.imwrite(path, np.eye(6, dtype="u1")[:5], description=text, metadata=None)
    elif kind == "imagej":
        text = f"ImageJ=1.11a\nimages={rng.choice([10**9, -1, 2])}\nslices=1000000\nunit=nm\n"
        tifffile.imwrite(path, np.eye(6, dtype="u1")[:5], description=text, metadata=None)
    elif kind == "colour":
        tifffile.imwrite(path, np.zeros((5, 6, 3), dtype="u1"), photometric="rgb")
    else:
        compression = rng.choice([None, "zlib"])
        tifffile.imwrite(path, np.eye(6, dtype="u1"), compression=compression, metadata=None)
    data = bytearray(path.read_bytes())
    path.unlink()
    if kind == "size":
        (offset,) = struct.unpack_from("<I", data, 4)
        (count,) = struct.unpack_from("<H", data, offset)
        for entry in range(count):
            place = offset + 2 + 12 * entry
            (tag,) = struct.unpack_from("<H", data, place)
            if tag in (256, 257, 278):  # width, length, rows in a strip
                size = rng.choice([10**6, 10**5, 2**31, 2**32 - 1])
                struct.pack_into("<HII", data, place + 2, 4, 1, size)
    if kind == "loop":
        (offset,) = struct.unpack_from("<I", data, 4)
        (count,) = struct.unpack_from("<H", data, offset)
        struct.pack_into("<I", data, offset + 2 + 12 * count, offset)
    return bytes(data)


def hostile_vti(folder: Path, rng: random.Random) -> bytes:
    """A VTK image with entities, or with an extent it cannot hold."""
    far = rng.choice([10**4, 10**6, 2**31 - 1, -5])
    extent = f"0 {far} 0 {far} 0 1"
    cells = rng.choice(["0 1 1 0", "0", "0 " * 1000])
    array = f'<DataArray type="UInt8" Name="labels" format="ascii">{cells}</DataArray>'
    small = "0 2 0 2 0 1"
    tuples = rng.choice([10**12, 10**9, -1])
    many = (
        f'<DataArray type="Int64" Name="f" NumberOfTuples="{tuples}" format="ascii">1</DataArray>'
    )
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "lol"}">' for n in range(12))
    header = f"<!DOCTYPE VTKFile [{entities}]>"
    outside = '<!DOCTYPE VTKFile [<!ENTITY a11 SYSTEM "file:///dev/zero">]>'
    doctype, whole, piece, field, inner = rng.choice(
        [
            (header, small, small, "", "&a11;"),
            (outside, small, small, "", "&a11;"),
            ("", extent, extent, "", array),
            ("", small, extent, "", array),
            ("", extent, small, "", array),
            ("", small, small, f"<FieldData>{many}</FieldData>", array),
            ("", small, small, "", array.replace("Name", 'NumberOfComponents="99999999" Name')),
            ("", small, small, "", '<DataArray type="UInt8" format="appended" offset="99999"/>'),
            ("", small, "x", "", array),
        ]
    )  # fmt: skip
    return (
        f'<?xml version="1.0"?>{doctype}<VTKFile type="ImageData" version="1.0" '
        f'byte_order="LittleEndian"><ImageData WholeExtent="{whole}" Origin="0 0 0" '
        f'Spacing="1 1 1">{field}<Piece Extent="{piece}"><CellData Scalars="labels">{inner}'
        f"</CellData></Piece></ImageData></VTKFile>"
    ).encode()


HOSTILE: dict[str, Callable[[Path, random.Random], bytes]] = {
    ".npy": hostile_npy,
    ".npz": hostile_npz,
    ".h5": hostile_hdf5,
    ".tif": hostile_tiff,
    ".vti": hostile_vti,
}


def spectrum(rng: random.Random) -> str:
    """A spectrum as the package writes it, or plain."""
    rows = []
    for power in range(8):
        z = 10 + 100 / (1 + 1j * 10 ** (power - 4))
        angle = np.degrees(np.angle(z))
        rows.append([10.0**power, z.real, z.imag, abs(z), angle])
    if rng.random() < 0.4:
        return "\n".join(",".join(map(repr, map(float, row[:3]))) for row in rows) + "\n"
    head = "frequency_Hz,Z_real_ohm,Z_imag_ohm,Z_modulus_ohm,phase_deg\n"
    return head + "\n".join(",".join(map(repr, map(float, row))) for row in rows) + "\n"
