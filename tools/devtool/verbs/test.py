"""Runs the test suites (default: all but the repetitions) and ends with the line `N passed, N failed`.

Status 0 only if nothing failed and something passed.
"""

from devtool import suites
from devtool.ui import Failure, Stopwatch, say


def arguments(parser) -> None:
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    width = max(map(len, suites.SUITES))
    parser.epilog = "suites:\n" + "\n".join(f"  {name:{width}}  {text}"
                                             for name, (text, _) in suites.SUITES.items())


def run(options) -> int:
    for name in options.suites:
        if name not in suites.SUITES:
            raise Failure(f"no suite {name!r}", f"one of: {' '.join(suites.SUITES)}", status=2)
    watch = Stopwatch()
    outcome = suites.run(options.suites or suites.DEFAULT)
    say(f"tests took {watch}")
    print(f"{outcome.passed} passed, {outcome.failed} failed", flush=True)
    return 0 if outcome.passed and not outcome.failed else 1
