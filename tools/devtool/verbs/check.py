"""Checks what a machine can check of the house's rules.

  tools/dev check            all
  tools/dev check NAME...    these

  compat    docs/compat is what the system-call tables say (tools/dev fmt writes it)
  format    clang-format (tools/dev fmt formats)
  lines     hv stays under 10,000 lines, a file under 600
  readmes   each folder with code has a README.md
  proto     buf lint, where npm is there to bring buf
  python    Python files parse
  names     clang-tidy's naming rules; minutes at first, then only what changed
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
