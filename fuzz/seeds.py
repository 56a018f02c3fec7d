#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""seeds.py FOLDER: writes first inputs for each fuzzer, so that they start from calls and blobs that are valid."""
import pathlib
import struct
import sys

# Where things lie in fuzz_attr's arena.
KEY, VALUE, PATH, INFO, BTF, CURSOR, KEYS, VALUES = 0, 64, 512, 768, 1024, 2048, 2112, 2560
WHOLE_ATTR, OWN_FDS, SMALL_MAP = 1, 2, 4


def btf_blob():
    strings = b"\0int\0bpf_spin_lock\0val\0value\0count\0lock\0array\0colour\0red\0name\0"

    def name(text):
        return strings.index(b"\0" + text + b"\0") + 1

    def record(text, kind, vlen, size, flag=0):
        return struct.pack("<III", name(text) if text else 0, flag << 31 | kind << 24 | vlen, size)

    types = record(b"int", 1, 0, 4) + struct.pack("<I", 1 << 24 | 32)  # 1
    types += record(b"bpf_spin_lock", 4, 1, 4) + struct.pack("<III", name(b"val"), 1, 0)  # 2
    types += record(b"value", 4, 2, 8)  # 3
    types += struct.pack("<III", name(b"count"), 1, 0) + struct.pack("<III", name(b"lock"), 2, 32)
    types += record(b"", 3, 0, 0) + struct.pack("<III", 1, 1, 4)  # 4
    types += record(b"", 2, 0, 3)  # 5
    types += record(b"colour", 6, 1, 4) + struct.pack("<Ii", name(b"red"), -1)  # 6
    types += record(b"name", 8, 0, 3) + record(b"", 10, 0, 7)  # 7, 8
    types += record(b"", 13, 1, 1) + struct.pack("<II", name(b"val"), 8)  # 9
    types += record(b"count", 12, 1, 9)  # 10
    types += record(b"red", 14, 0, 3) + struct.pack("<I", 1)  # 11
    types += record(b"lock", 15, 1, 8) + struct.pack("<III", 11, 0, 8)  # 12
    types += record(b"colour", 19, 1, 8) + struct.pack("<III", name(b"red"), 1, 2)  # 13
    types += record(b"name", 17, 0, 3) + struct.pack("<i", 0)  # 14
    types += record(b"name", 18, 0, 1)  # 15
    types += record(b"int", 16, 0, 8)  # 16
    types += record(b"array", 7, 0, 0)  # 17
    return struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings)) + types + strings


def attr_sequence(map_type, flags, value_size=8):
    arena = bytearray(4096)
    arena[PATH:PATH + 16] = b"/sys/fs/bpf/seed"
    blob = btf_blob()
    arena[BTF:BTF + len(blob)] = blob
    for n in range(8):
        struct.pack_into("<I", arena, KEYS + 4 * n, n)

    def at(offset):
        return 0x10000 + offset  # any number of that remainder, but not null

    calls = b""

    def call(command, attr, tweaks=WHOLE_ATTR | OWN_FDS | SMALL_MAP):
        nonlocal calls
        calls += struct.pack("<BBB", command, tweaks, len(attr)) + attr

    def element(command, value=VALUE, element_flags=0):
        call(command, struct.pack("<IIQQQ", 0, 0, at(KEY), at(value), element_flags))

    call(0, struct.pack("<IIIIIII", map_type, 4, value_size, 8, flags, 0, 0) + b"seed".ljust(16, b"\0"))
    for command in (2, 1, 4, 2, 21, 2, 3):
        element(command)
    element(2, element_flags=1)
    element(2, element_flags=2)
    for command in (26, 24, 25, 27):
        call(command, struct.pack("<QQQQIIQQ", 0, at(CURSOR), at(KEYS), at(VALUES), 8, 0, 0, 0))
    call(15, struct.pack("<IIQ", 0, 104, at(INFO)))
    call(6, struct.pack("<QII", at(PATH), 0, 0))
    call(7, struct.pack("<QII", at(PATH), 0, 0))
    call(12, struct.pack("<II", 0, 0))
    call(14, struct.pack("<III", 1, 0, 0))
    call(18, struct.pack("<QQIIII", at(BTF), at(VALUES), len(blob), 256, 1, 0))
    call(23, struct.pack("<II", 0, 0))
    call(22, struct.pack("<I", 0))
    call(32, struct.pack("<I", 0))
    element(2)
    return struct.pack("<H", len(arena)) + bytes(arena) + calls


def region_change(stays_open, changes, calls):
    step = b"\x00" if stays_open else b""
    change = b"".join(step + struct.pack("<BHQ", *change) for change in changes)
    call = b"".join((b"\x01" if stays_open else b"") + bytes(call) for call in calls)
    return bytes([stays_open]) + (b"" if stays_open else bytes([len(changes)])) + change + call


def captures():
    """The example's capture, a few packets at a time."""
    data = (pathlib.Path(__file__).parent.parent / "examples/flow_counter/traffic.pcap").read_bytes()
    header, at, parts = data[:24], 24, [b""]
    while at + 16 <= len(data):
        end = at + 16 + struct.unpack_from("<I", data, at + 8)[0]
        if len(parts[-1]) + end - at > 2000:
            parts.append(b"")
        parts[-1] += data[at:end]
        at = end
    return {f"packets{number}": header + part for number, part in enumerate(parts)}


def main(folder):
    seeds = {"fuzz_btf": {"all_kinds": bytes([1, 1, 3, 8]) + btf_blob(), "quiet": bytes([0, 1, 1, 4]) + btf_blob()},
             "fuzz_attr": {f"type{kind}_flags{flags:x}": attr_sequence(kind, flags)
                           for kind, flags in [(1, 0), (1, 1), (2, 0), (2, 0x400), (5, 0), (5, 1), (6, 0), (3, 0), (22, 0), (23, 0), (30, 0)]},
             "fuzz_region": {f"file{which}_{opened}": region_change(opened, [(which | 0xC0, 64 * n, 2**64 - 1) for n in range(8)],
                                                                    [(n, 16 * n + which % 4) for n in range(11)])
                             for which in range(4) for opened in (0, 1)},
             "fuzz_pcap": captures(),
             "fuzz_legacy_elf": {path.stem: path.read_bytes() for path in folder.parent.glob("test/loader/*.bpf.o")}}
    for fuzzer, inputs in seeds.items():
        (folder / fuzzer).mkdir(parents=True, exist_ok=True)
        for name, data in inputs.items():
            (folder / fuzzer / f"seed_{name}").write_bytes(data)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
