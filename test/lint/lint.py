#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.py layering|sources|tables: rules about the sources, checked in the top folder. See README.md."""
import pathlib
import re
import sys

FOLDERS = ["bench", "examples", "fuzz", "include", "src", "test", "tools"]
SOURCES = {".cc", ".h", ".hpp", ".c", ".S", ".def", ".sh", ".py"}
SCRIPTS = ["dev", ".ci/run"]
# Folders of src/ that make programs and shared objects of the rooms; they are no rooms themselves.
FRONTS = {"api": 13, "shim": 14, "cli": 14, "supervisor": 14}
LICENCE = re.compile(r"SPDX-License-Identifier: (Apache-2\.0|GPL-2\.0-only OR BSD-2-Clause)$")
MARKS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|st" r"ub|for " r"now)\b", re.IGNORECASE)
ATOMICS = re.compile(r"std::atomic\b|std::atomic_|__atomic_|__sync_|#include <atomic>")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"/]+)/')
MOST_LINES = 600


def sources(folders):
    for folder in folders:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.is_file() and path.suffix in SOURCES:
                yield path


def lines_of(path):
    return path.read_text(encoding="utf-8").splitlines()


def layering():
    declared = pathlib.Path("src/CMakeLists.txt").read_text(encoding="utf-8")
    levels = {room: int(level) for room, level in re.findall(r"portolan_room\((\w+) (\d+)\)", declared)} | FRONTS
    for path in sources(["src"]):
        room = path.parts[1]
        if room not in levels:
            yield path, 1, f"the folder {room} has no level in src/CMakeLists.txt"
            continue
        for number, line in enumerate(lines_of(path), 1):
            found = INCLUDE.match(line)
            if found and found[1] in levels and found[1] != room and levels[found[1]] >= levels[room]:
                yield path, number, f"{room} (level {levels[room]}) includes {found[1]} (level {levels[found[1]]})"
            if room not in ("sync", "base") and ATOMICS.search(line.split("//")[0]):
                yield path, number, "atomics belong to src/sync: use sync::Atomic"
    for path in sources(["include"]):
        for number, line in enumerate(lines_of(path), 1):
            found = INCLUDE.match(line)
            if found and found[1] != "portolan":
                yield path, number, "an installed header includes what is not installed"


def source_files():
    for path in [*sources(FOLDERS), *map(pathlib.Path, SCRIPTS)]:
        lines = lines_of(path)
        if not any(LICENCE.search(line.rstrip(" */")) for line in lines[:2]):
            yield path, 1, "no SPDX-License-Identifier of ours in the first two lines"
        if path.parts[0] == "src" and len(lines) > MOST_LINES:
            yield path, len(lines), f"longer than {MOST_LINES} lines"
        for number, line in enumerate(lines, 1):
            if found := MARKS.search(line):
                yield path, number, f"a mark of unfinished work: {found[0]}"


def tables():
    for header, enum, table in [("map_type.h", "MapType", "src/map/map_types.def"),
                                ("command.h", "Command", "src/syscall/commands.def")]:
        text = pathlib.Path("src/abi", header).read_text(encoding="utf-8")
        body = re.search(rf"enum class {enum} : [\w:]+ {{(.*?)}};", text, re.DOTALL)[1]
        names = [name for name in re.findall(r"^\s*(k\w+) = \d+", body, re.MULTILINE) if name != "kUnspec"]
        rows = [line.split("//")[0] for line in lines_of(pathlib.Path(table))]
        for name in names:
            where = [number for number, row in enumerate(rows, 1) if re.search(rf"^\s*\w+\(.*\b{name}\b", row)]
            if len(where) != 1:
                yield table, where[0] if where else 1, f"{enum}::{name} has {len(where)} rows instead of one"


RULES = {"layering": layering, "sources": source_files, "tables": tables}


def main(arguments):
    if len(arguments) != 1 or arguments[0] not in RULES:
        print(__doc__, file=sys.stderr)
        return 2
    offences = list(RULES[arguments[0]]())
    for path, number, what in offences:
        print(f"{path}:{number}: {what}")
    print(f"{len(offences)} offences" if offences else "nothing to say")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
