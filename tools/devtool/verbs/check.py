"""Checks what a machine can check of the house's rules: format, names, sizes, protobuf.

  tools/dev check            all
  tools/dev check compat format lines names proto python
"""

from devtool import checks
from devtool.ui import Failure, say


def arguments(parser) -> None:
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=" ".join(checks.CHECKS))


def run(options) -> int:
    failed = []
    for name in options.checks or checks.CHECKS:
        if name not in checks.CHECKS:
            raise Failure(f"no check {name!r}", f"one of: {' '.join(checks.CHECKS)}", status=2)
        findings = checks.CHECKS[name]()
        for finding in findings:
            print(finding)
        say(f"{name}: {'ok' if not findings else f'{len(findings)} findings'}")
        if findings:
            failed.append(name)
    return 1 if failed else 0
