"""Where things are: the tree, its build folder, and the cache outside the tree."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
BUILD_CHECKS = ROOT / "build-checks"  # the control kernel alone, with kernel_checks
TOOLS = ROOT / "tools"


def cache_dir() -> Path:
    """Downloads and tools built from source, shared by all clones of one user (XDG base directory)."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = Path(base) / "skep"
    path.mkdir(parents=True, exist_ok=True)
    return path
