"""The Meson build: sets it up, runs ninja, knows the programs that come out."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterable, Iterator

from devtool import packages
from devtool.paths import BUILD, BUILD_CHECKS, ROOT
from devtool.ui import Failure, say

# What an appliance image takes from the build, by the program's file name.
APPLIANCE = ["hv", "kernel", "init", "skepd", "skep-vmm", "skep"]


def configure(build: Path = BUILD, *options: str) -> None:
    packages.need("build")
    if (build / "build.ninja").is_file():
        return
    compiler = os.environ.get("CXX") or ("ccache g++" if shutil.which("ccache") else "g++")
    done = subprocess.run(["meson", "setup", *options, str(build), str(ROOT)], text=True, errors="replace",
                          env={**os.environ, "CXX": compiler}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise Failure("\n".join(done.stdout.splitlines()[-30:]) + f"\n`meson setup {build.name}` failed",
                      f"see {build.name}/meson-logs/meson-log.txt; `rm -r {build.name}` starts anew")


def regenerate() -> None:
    """build.ninja may be older than a meson.build that brings a target just named."""
    configure()
    done = subprocess.run(["ninja", "-C", str(BUILD), "--quiet", "build.ninja"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode != 0:
        raise Failure("\n".join(done.stdout.splitlines()[-30:]) + "\nMeson cannot configure the build")


def checked_kernel() -> Path:
    """The control kernel that panics at undefined behaviour and at locks taken out of order."""
    configure(BUILD_CHECKS, "-Dkernel_checks=true")
    kernel = Path("kernel") / "kernel"
    command = ["ninja", "-C", str(BUILD_CHECKS), f"-j{os.cpu_count() or 1}", "--quiet", str(kernel)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    if done.returncode != 0:
        raise Failure(f"{done.stdout}\nthe build of the checked kernel failed", "the first error above says where")
    return BUILD_CHECKS / kernel


def introspected() -> list[dict]:
    return json.loads((BUILD / "meson-info" / "intro-targets.json").read_text())


def programs() -> dict[str, Path]:
    """Every executable of the build by its file name, built or not."""
    result = {}
    for target in introspected():
        if target["type"] == "executable":
            for filename in target["filename"]:
                result[Path(filename).name] = Path(filename)
    return result


def ensure(targets: list[str] | None) -> None:
    """Builds the targets (program names or ninja names; None: all). Quiet when nothing is to do."""
    regenerate()
    command = ["ninja", "-C", str(BUILD), f"-j{os.cpu_count() or 1}", "--quiet"]
    if targets is not None:
        known = programs()
        command += [str(known[name].relative_to(BUILD)) if name in known else name for name in targets]
    ninja = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")
    for line in worth_showing(ninja.stdout):
        say(line)
    if ninja.wait() != 0:
        raise Failure("the build failed", "the first error above says where")


def worth_showing(lines: Iterable[str]) -> Iterator[str]:
    """Without the linker's remark on static programs that name dlopen or getaddrinfo: gRPC does, ours never call it."""
    before = None
    for line in lines:
        line = line.rstrip()
        if "statically linked applications requires at runtime" in line:
            before = None
            continue
        if before is not None:
            yield before
            before = None
        if ": in function `" in line:
            before = line
        elif not line.startswith("ninja: no work to do"):
            yield line
    if before is not None:
        yield before


def ensure_appliance(bare: bool = False) -> dict[str, Path]:
    """Builds what an image needs and returns those programs; the ones not in the build yet are left out.

    The bare kernel is the quick loop: only the kernel and init are built, other programs taken as they are.
    """
    regenerate()
    known = programs()
    wanted = [name for name in APPLIANCE if name in known and not (bare and name == "hv")]
    for name in ("kernel",) if bare else ("hv", "kernel"):
        if name not in known:
            raise Failure(f"the build makes no program {name!r} yet", "git pull")
    ensure([name for name in wanted if name in ("kernel", "init")] if bare else wanted)
    return {name: known[name] for name in wanted if known[name].is_file()}
