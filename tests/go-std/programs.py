"""Cross-builds Go's own test programs, and Go's toolchain for FreeBSD; kept in the cache outside the tree."""

import functools
import os
import subprocess
from pathlib import Path

from devtool.paths import cache_dir
from packages import Package

TOOLS = ["asm", "buildid", "compile", "link", "pprof"]


def go(*arguments: str, target: str = "linux", folder: Path | None = None, **environment: str) -> str:
    env = {**os.environ, "GOOS": target, "GOARCH": "amd64", "CGO_ENABLED": "0", **environment}
    done = subprocess.run(["nice", "-n", "5", "go", *arguments], cwd=folder, env=env, text=True, capture_output=True)
    assert done.returncode == 0, f"go {' '.join(arguments)} (GOOS={target}):\n{done.stderr}"
    return done.stdout.strip()


@functools.cache
def root() -> Path:
    """GOROOT: the tests look for their data there, so it is at the same place in the appliance."""
    return Path(go("env", "GOROOT"))


def cache(*parts: str) -> Path:
    path = cache_dir() / "go-std" / go("env", "GOVERSION") / Path(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def made(path: Path, *command: str, target: str, **environment: str) -> Path:
    if not path.exists():
        partial = path.with_name(path.name + ".partial")
        go(*command[:2], "-o", str(partial), *command[2:], target=target, **environment)
        partial.rename(path)
    return path


def test_program(package: Package, target: str) -> Path:
    return made(cache(target, package.binary), "test", "-c", f"-tags={package.tags}", package.path, target=target)


def go_command() -> dict[Path, str]:
    """Files and where they belong below a FreeBSD GOROOT."""
    return {made(cache("freebsd", "go"), "build", "-ldflags=-s -w", "cmd/go", target="freebsd"): "bin/go"}


def compiler() -> dict[Path, str]:
    return {made(cache("freebsd", "tool", tool), "build", "-ldflags=-s -w", f"cmd/{tool}", target="freebsd"):
            f"pkg/tool/freebsd_amd64/{tool}" for tool in TOOLS}


def build_cache(package: Package) -> Path:
    """What `go build` keeps of the packages that the tests' programs import: content decides, not who compiled them."""
    path = cache("freebsd", package.binary + ".cache")
    stamp = cache("freebsd", package.binary + ".cached")
    if not stamp.exists():
        for folder, *arguments in package.builds:
            go("build", "-o", os.devnull, *arguments, target="freebsd", folder=root() / "src" / folder, GOCACHE=str(path))
        stamp.touch()
    return path


def archives(package: Package) -> dict[Path, str]:
    """pkg/: what assembler includes, and the compiled packages that `runtime` imports: a test of it type-checks them.

    They are those of the build cache: others would make `go build` take what imports them for out of date.
    """
    if not package.builds:
        return {}
    found = {root() / "pkg" / "include": "pkg/include"}
    listed = go("list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "runtime", target="freebsd",
                GOCACHE=str(build_cache(package)))
    for name, _, path in (line.partition(" ") for line in listed.splitlines()):
        if path:
            found[Path(path)] = f"pkg/freebsd_amd64/{name}.a"
    return found


def imported(package: Package) -> set[str]:
    """The folders below src/ of what those programs import."""
    source = str((root() / "src").resolve())
    folders: set[str] = set()
    for folder, *arguments in package.builds:
        listed = go("list", "-deps", "-f", "{{if .Standard}}{{.Dir}}{{end}}", *arguments, target="freebsd",
                    folder=root() / "src" / folder)
        folders.update(os.path.relpath(os.path.realpath(line), source) for line in listed.splitlines() if line)
    return folders
