#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts individual tests over several runs of ctest.

    summary.py [--broken PRESET]... RESULTS...

RESULTS is a folder with tests.json (ctest --show-only=json-v1), ctest.xml (its JUnit report) and one XML report per
GoogleTest program. A GoogleTest program counts as its cases, any other test as one. A part that a test leaves out, it
says in a line "<what> skipped: <why>". Exit status 1 if anything failed, was not built or did not run.
"""
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ET

SKIPPED_PART = re.compile(r"^(?:\S+: )?(.{1,80}?) skipped: (.+)$", re.MULTILINE)


class Tally:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []


def reason(text):
    lines = [line for line in (text or "").strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"


def count_cases(cases, prefix, tally):
    """Counts the cases of GoogleTest reports; the number that failed."""
    failures = 0
    for case in cases:
        name = f"{prefix}: {case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None:
            failures += 1
            tally.failed.append(name)
        elif case.get("result") == "skipped":
            skipped = case.find("skipped")
            tally.skipped.append((name, reason(skipped.get("message") if skipped is not None else "")))
        elif case.get("status") == "run":
            tally.passed += 1
        else:
            tally.skipped.append((name, "disabled"))
    return failures


def program_of(test):
    command = test.get("command", [])
    return pathlib.PurePath(command[0]).name if command else ""


def count_run(results, tally):
    preset = results.parent.name
    listed = json.loads((results / "tests.json").read_text())["tests"]
    programs = {test["name"]: program_of(test) for test in listed}
    cases = {case.get("name"): case for case in ET.parse(results / "ctest.xml").getroot().iter("testcase")}
    reports = {}
    for report in sorted(results.glob("*.xml")):
        try:
            ran = [case for case in ET.parse(report).getroot().iter("testcase") if case.get("status") in ("run", "notrun")]
        except ET.ParseError:  # killed while it wrote; ctest knows that it failed
            continue
        if report.name != "ctest.xml" and ran:
            reports.setdefault(re.sub(r"_\d+$", "", report.stem), []).append(ran)

    failures, passed_tests = {}, {}
    for program in sorted(set(programs.values()) & reports.keys()):
        failures[program] = sum(count_cases(ran, preset, tally) for ran in reports[program])
    for name, program in programs.items():
        case = cases.get(name)
        status = case.get("status") if case is not None else "notrun"
        output = (case.findtext("system-out") or "") if case is not None else ""
        if status == "notrun" and case is not None and "SKIP_" in (case.find("skipped").get("message") or ""):
            tally.skipped.append((f"{preset}: {name}", reason(output)))
            continue
        for what, why in SKIPPED_PART.findall(output):
            tally.skipped.append((f"{preset}: {name}: {what}", why))
        if status == "run":
            passed_tests[program] = passed_tests.get(program, 0) + 1
        elif not failures.get(program):  # otherwise its cases have said so
            tally.failed.append(f"{preset}: {name}" + ("" if status == "fail" else " (did not run)"))
    for program, passed in passed_tests.items():
        tally.passed += max(0, passed - len(reports.get(program, [])))


def main(arguments):
    tally = Tally()
    while arguments and arguments[0] == "--broken":
        tally.failed.append(f"{arguments[1]}: the build")
        arguments = arguments[2:]
    for results in map(pathlib.Path, arguments):
        if (results / "tests.json").exists():
            count_run(results, tally)
    for name in tally.failed:
        print(f"FAILED {name}")
    for name, why in tally.skipped:
        print(f"SKIPPED {name}: {why}")
    print(f"{tally.passed} passed, {len(tally.failed)} failed" +
          (f", {len(tally.skipped)} skipped" if tally.skipped else ""))
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
