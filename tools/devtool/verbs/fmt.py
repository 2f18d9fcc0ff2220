"""Formats the C++ sources (all, or the given paths) with clang-format; writes docs/compat from the tables."""

import subprocess
from pathlib import Path

from devtool import compat, packages, sources


def arguments(parser) -> None:
    parser.add_argument("paths", nargs="*", type=Path)


def run(options) -> int:
    packages.need("check")
    compat.write()
    paths = sources.files(sources.CPP)
    if options.paths:
        chosen = [path.resolve() for path in options.paths]
        paths = [path for path in paths if any(path.is_relative_to(one) for one in chosen)]
    if not paths:
        return 0
    return subprocess.run(["clang-format", "-i", *paths]).returncode
