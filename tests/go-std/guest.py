"""One package's tests in the control kernel: an appliance of its own, the package's folder in place."""

import shutil
from pathlib import Path

from demo.command import Done, run
from exceptions import Exception_
from packages import Package
import programs

CACHE_PLACE = "/root/go-cache"
LISTED = "go-std: listed"
NEXT = "go-std: package "
ENVIRONMENT = f"HOME=/root TMPDIR=/tmp GOCACHE={CACHE_PLACE} CGO_ENABLED=0 GOPROXY=off GOSUMDB=off"


def library(package: Package, to: Path) -> Path:
    """src/ with the package's whole folder and, for `go build`, the sources of what is imported."""
    source = (programs.root() / "src").resolve()
    shutil.copytree(source / package.path, to / package.path, symlinks=True)
    if package.builds:
        for name in ("go.mod", "go.sum"):
            shutil.copy(source / name, to / name)
        (to / "vendor").mkdir()
        shutil.copy(source / "vendor" / "modules.txt", to / "vendor")
        for folder in programs.imported(package):
            (to / folder).mkdir(parents=True, exist_ok=True)
            for file in (source / folder).iterdir():
                if file.is_file() and not file.name.endswith("_test.go"):
                    shutil.copy(file, to / folder)
    return to


def choice(exceptions: dict[str, Exception_], tests: list[str]) -> str:
    """This Go has no -test.skip: where some are left out, the others are named."""
    left_out = {name for name, one in exceptions.items() if one.skip}
    if not left_out:
        return ""
    return f"'-test.run=^({'|'.join(name for name in tests if name not in left_out)})$'"


def run_tests(rig: str, package: Package, tests: list[str], exceptions: dict[str, Exception_], folder: Path,
              bare: bool = False) -> Done:
    """`tests`: those that count. The output begins with the names of all there are, up to LISTED."""
    place = programs.root()
    program = f"/root/{package.binary}"
    add = [f"{programs.test_program(package, 'freebsd')}:{program}",
           f"{library(package, folder / 'src')}:{place}/src", f"{place / 'VERSION'}:{place}/VERSION"]
    for name in package.data:
        add.append(f"{(place / name).resolve()}:{place / name}")
    tools = (programs.go_command() if package.go else {}) | (programs.compiler() if package.builds else {})
    tools |= programs.archives(package)
    add += [f"{path}:{place}/{where}" for path, where in tools.items()]
    if package.builds:
        add.append(f"{programs.build_cache(package)}:{CACHE_PLACE}")
    script = (f"export {ENVIRONMENT} PATH={place}/bin:$PATH; cd {place}/src/{package.path} && "
              f"{program} -test.list . && echo '{LISTED}' && "
              f"exec {program} -test.v -test.short {choice(exceptions, tests)} </dev/null 2>&1")
    return run(rig, "sh", "-c", script, bare=bare, cpus=2, memory=2048 if package.builds else 1024, add=add,
               time_limit=package.seconds)


def run_together(rig: str, packages: list[Package], folder: Path) -> dict[str, str]:
    """Packages without exceptions of the kind that is not run; one after the other in one appliance. Their outputs."""
    place = programs.root()
    add, parts = [], []
    for package in packages:
        library(package, folder / "src")
        add.append(f"{programs.test_program(package, 'freebsd')}:/root/{package.binary}")
        parts.append(f"echo; echo '{NEXT}{package.path}'; cd {place}/src/{package.path} && "
                     f"/root/{package.binary} -test.v -test.short </dev/null 2>&1")
    add.append(f"{folder / 'src'}:{place}/src")
    done = run(rig, "sh", "-c", f"export {ENVIRONMENT}; {'; '.join(parts)}", cpus=2, add=add, time_limit=900)
    found = dict.fromkeys((package.path for package in packages), f"{done.output}\n{done.errors}")
    for part in done.output.split(f"\n{NEXT}")[1:]:
        name, _, output = part.partition("\n")
        found[name.strip()] = output
    return found
