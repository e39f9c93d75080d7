"""Prints "N passed, N failed" over the ctest runs of a folder: PRESET.xml is ctest's JUnit file, PRESET/ holds GoogleTest's own.

    python3 tests/count_results.py DIR

A GoogleTest program counts by its test cases, a script counts as one. A program that fails without naming a failed case (a crash, a
sanitizer's report) counts as one failure. Skipped tests are listed and count as neither.
"""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def count_cases(path):
    """(passed, failed, skipped names) of a GoogleTest file; (0, 0, []) where the program did not live to write one."""
    try:
        cases = ElementTree.parse(path).getroot().findall(".//testcase")
    except (FileNotFoundError, ElementTree.ParseError):
        return 0, 0, []
    failed = sum(case.find("failure") is not None for case in cases)
    skipped = [f"{case.get('classname')}.{case.get('name')}" for case in cases
               if case.find("skipped") is not None or case.get("status") == "notrun"]
    return len(cases) - failed - len(skipped), failed, skipped


def count_run(junit):
    passed, failed, skipped = 0, 0, []
    for test in ElementTree.parse(junit).getroot().findall(".//testcase"):
        name, status = test.get("name"), test.get("status")
        cases = count_cases(junit.with_suffix("") / f"tests_{name}.xml")
        if cases == (0, 0, []):  # a script, or a program that crashed
            cases = (int(status == "run"), 0, [name] if status in ("notrun", "disabled") else [])
        passed, skipped = passed + cases[0], skipped + cases[2]
        failed += cases[1] if cases[1] or status != "fail" else 1
    return passed, failed, skipped


def main():
    passed = failed = 0
    for junit in sorted(Path(sys.argv[1]).glob("*.xml")):
        run = count_run(junit)
        passed, failed = passed + run[0], failed + run[1]
        for name in run[2]:
            print(f"skipped: {junit.stem} {name}")
    print(f"{passed} passed, {failed} failed")


if __name__ == "__main__":
    main()
