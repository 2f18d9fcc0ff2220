"""Which of Go's own packages are tested, and what their tests need."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Package:
    path: str
    # What its tests look for beside its own folder: paths below GOROOT, or absolute ones.
    data: tuple[str, ...] = ()
    # Build tags: Debian's GOROOT lacks the time zones that the tests of `time` look for.
    tags: str = ""
    # Its tests run `go`; with `builds` they build programs: they find the compiler, sources, and a filled build cache.
    # Each of `builds`: a folder below src/, and what `go build` is given there.
    go: bool = False
    builds: tuple[tuple[str, ...], ...] = ()
    # A limit for a machine that is emulated, and busy.
    seconds: int = 900

    @property
    def binary(self) -> str:
        return self.path.replace("/", "_") + ".test"


PROGRAMS = "runtime/testdata"
# Debian's, a dynamic Linux program.
NOHUP = ("/usr/bin/nohup", "/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6")
PACKAGES = [
    Package("sync"),
    Package("runtime", seconds=5400, go=True, builds=(
        (f"{PROGRAMS}/testprog",), (f"{PROGRAMS}/testprognet",), (f"{PROGRAMS}/testfaketime", "-tags=faketime"),
        (f"{PROGRAMS}/testprog", "-gcflags=all=-d=checkptr=1"), (f"{PROGRAMS}/testprog", "-gcflags=all=-d=checkptr=2"))),
    Package("os", seconds=1800, go=True),
    Package("os/exec", seconds=1800, go=True, builds=(("os/exec", "read3.go"),)),
    Package("os/signal", seconds=1200, data=NOHUP),
    Package("os/user"),
    Package("io/fs"),
    Package("path/filepath", data=("test",)),
    Package("syscall"),
    Package("time", data=("/usr/share/zoneinfo",), tags="timetzdata"),
    Package("bufio"),
    Package("compress/gzip"),
    Package("encoding/json"),
    Package("crypto/sha256"),
    Package("text/template", seconds=1800, go=True, builds=(("text/template", "text/template", "fmt", "os"),)),
]
# What the default run tests, in one appliance.
SHORT = ["bufio", "sync", "encoding/json", "io/fs", "os/user", "crypto/sha256"]
