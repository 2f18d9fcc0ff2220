#!/usr/bin/env python3
"""Reads snapshots knowing only docs/snapshot-format.md: no code and no .proto file of Skep.

It proves that the document suffices. For every NAME.skep of a directory it rebuilds RAM and disk and
compares them, some registers and the devices with NAME.json.
"""

import ctypes
import json
import pathlib
import struct
import sys

zstd = ctypes.CDLL("libzstd.so.1")
zstd.ZSTD_decompress.restype = ctypes.c_size_t
xxhash = ctypes.CDLL("libxxhash.so.0")


class Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


xxhash.XXH3_128bits.restype = Hash128
xxhash.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]

PAGE = 4096
CRC_TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    CRC_TABLE.append(byte)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def message(data):
    """The fields of a protobuf message: number -> list of values, undecoded."""
    fields, at = {}, 0
    while at < len(data):
        tag, at = varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 1:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        elif wire == 5:
            value, at = struct.unpack_from("<I", data, at)[0], at + 4
        elif wire == 2:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"wire type {wire}")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def one(fields, number, default=0):
    return fields.get(number, [default])[-1]


def records(data):
    magic, version, minimum, header_size, digest, _, crc = struct.unpack_from("<8s6I", data)
    assert magic == b"\x89SKEP\r\n\x1a" and minimum <= 1 <= version and digest == 1
    assert crc == crc32c(data[:28])
    at, number = header_size, 0
    while True:
        kind, sequence, version, flags, size, payload_crc, crc = struct.unpack_from("<8sIHHIII", data, at)
        assert crc == crc32c(data[at : at + 24]) and sequence == number
        payload = data[at + 28 : at + 28 + size]
        assert len(payload) == size and payload_crc == crc32c(payload)
        kind = kind.rstrip(b"\0").decode()
        yield kind, at, payload
        at, number = at + 28 + size, number + 1
        if kind == "trailer":
            break
    assert data[at:] == struct.pack("<Q8s", at - 28 - size, b"SKEPEND\n")


def place(memory, base, batch):
    """Writes a page batch to `memory`, whose first byte has the address `base`."""
    start, pages, encoding = one(batch, 1) - base, one(batch, 2), one(batch, 3)
    if encoding == 1:
        return
    present, content = one(batch, 4, b""), one(batch, 15, b"")
    count = sum(bin(byte).count("1") for byte in present)
    if encoding == 3:
        buffer = ctypes.create_string_buffer(count * PAGE)
        assert zstd.ZSTD_decompress(buffer, len(buffer), content, len(content)) == count * PAGE
        content = buffer.raw
    assert len(content) == count * PAGE
    taken = 0
    for page in range(pages):
        if present[page // 8] >> page % 8 & 1:
            at = start + page * PAGE
            memory[at : at + PAGE] = content[taken : taken + PAGE]
            taken += PAGE


def read(path):
    data = path.read_bytes()
    ram, disks, found = [], {}, {"rip": [], "devices": []}
    for kind, offset, payload in records(data):
        fields = message(payload)
        if kind == "manifest":
            ram = [(one(r, 1), bytearray(one(r, 2))) for r in map(message, fields.get(5, []))]
            for index, disk in enumerate(map(message, fields.get(7, []))):
                if 3 in disk:
                    disks[index] = bytearray((one(disk, 2) + PAGE - 1) // PAGE * PAGE), one(disk, 2)
        elif kind == "vcpu":
            found["rip"].append(one(message(one(fields, 2)), 17))
        elif kind == "device":
            found["devices"].append((one(fields, 1) + b"/" + one(fields, 2)).decode())
        elif kind == "ram":
            gpa, memory = max(r for r in ram if r[0] <= one(fields, 1))
            place(memory, gpa, fields)
        elif kind == "disk":
            place(disks[one(fields, 5)][0], 0, fields)
        elif kind == "trailer":
            digest = xxhash.XXH3_128bits(data[:offset], offset)
            assert one(fields, 1) == struct.pack(">QQ", digest.high, digest.low)
    found["ram_crc32c"] = [crc32c(memory) for _, memory in ram]
    found["disk_crc32c"] = crc32c(disks[0][0][: disks[0][1]])
    return found


def main():
    paths = sorted(pathlib.Path(sys.argv[1]).glob("*.skep"))
    assert paths, "no golden file"
    for path in paths:
        found, expected = read(path), json.loads(path.with_suffix(".json").read_text())
        print(path.name, "agrees" if found == expected else f"differs: {found} instead of {expected}")
        if found != expected:
            sys.exit(1)


main()
