"""What a run of a Go test program says: one result per test function."""

import re

# Subtests are indented; a test function's line begins with the dashes. The kernel's log shares the line with the
# program, so that its text may stand before.
LINE = re.compile(r"(?:^|[^ \n])--- (PASS|FAIL|SKIP): ([A-Z]\w*) \(", re.MULTILINE)


def read(output: str) -> dict[str, str]:
    """Test function: PASS, FAIL or SKIP. One that never ended is not there."""
    return {name: result for result, name in LINE.findall(output)}


def passed(results: dict[str, str]) -> set[str]:
    return {name for name, result in results.items() if result == "PASS"}
