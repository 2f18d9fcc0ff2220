"""Measures: prints a table and writes build/bench/NAME.json, a list of objects with `name`, `value` and `unit`,
and `peer` and `ratio` where a peer was measured in the same run. Without NAME: all.
"""

import importlib
import pkgutil

import bench
from bench import figure
from devtool import packages
from devtool.paths import BUILD
from devtool.ui import Failure, Stopwatch, say
from rig.machine import RigError

NOT_BENCHMARKS = {"figure", "peer"}
NAMES = sorted({module.name for module in pkgutil.iter_modules(bench.__path__)} - NOT_BENCHMARKS)


def arguments(parser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))


def run(options) -> int:
    for name in options.names:
        if name not in NAMES:
            raise Failure(f"no benchmark {name!r}", f"one of: {' '.join(NAMES)}", status=2)
    packages.need("build", "rig")
    failed = 0
    for name in options.names or NAMES:
        module = importlib.import_module(f"bench.{name}")
        say(f"== {name}: {module.__doc__.strip()}")
        watch = Stopwatch()
        try:
            figures = module.measure()
        except (Failure, RigError) as error:
            say(f"{name}: {error}")
            failed += 1
            continue
        figure.write(BUILD / "bench" / f"{name}.json", figures)
        print(figure.table(figures), flush=True)
        say(f"== {name}: {watch}")
    return 1 if failed else 0
