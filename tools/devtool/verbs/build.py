"""Builds everything (or the named ninja targets) in build/, with ccache, and prints a short summary."""

from devtool import builder
from devtool.ui import Stopwatch


def arguments(parser) -> None:
    parser.add_argument("targets", nargs="*", help="ninja targets or program names; default all")


def run(options) -> None:
    watch = Stopwatch()
    builder.ensure(options.targets or None)
    for name, path in sorted(builder.programs().items()):
        if path.is_file():
            print(f"{path.stat().st_size / 1048576:8.1f} MiB  {path.relative_to(builder.BUILD.parent)}")
    print(f"built in {watch}")
