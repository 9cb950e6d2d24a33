"""Print a coverage report in JSON as a table: each package, then the least covered files."""

import json
import sys
from collections import Counter
from pathlib import Path

LOWEST = 15


def share(covered: int, lines: int) -> str:
    """Return covered lines in percent."""
    return f"{100 * covered / lines:5.1f} %"


def main(path: str) -> None:
    """Print the table."""
    report = json.loads(Path(path).read_text())
    lines: Counter[str] = Counter()
    covered: Counter[str] = Counter()
    files = []
    for name, entry in report["files"].items():
        summary = entry["summary"]
        if summary["num_statements"]:
            package = str(Path(name).parent)
            lines[package] += summary["num_statements"]
            covered[package] += summary["covered_lines"]
            files.append((summary["percent_covered"], summary["missing_lines"], name))
    print(f"{'package':28} {'lines':>6}  covered")
    for package in sorted(lines):
        print(f"{package:28} {lines[package]:6}  {share(covered[package], lines[package])}")
    total = sum(lines.values())
    print(f"{'all':28} {total:6}  {share(sum(covered.values()), total)}")
    print(f"\nthe {LOWEST} least covered files; worker processes are not measured")
    for percent, missing, name in sorted(files)[:LOWEST]:
        print(f"{percent:5.1f} %  {missing:4} lines not run  {name}")


if __name__ == "__main__":
    main(sys.argv[1])
