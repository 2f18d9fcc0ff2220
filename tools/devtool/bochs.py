"""The fast Bochs: Bochs 3.0 from Debian's own source package, built once into the cache.

The packaged Bochs of Debian 12 is a debugger build, three times slower. The source comes from the
archive of Debian 13 by a source list of its own, so the host's lists stay as they are; the digest
is fixed here. When it cannot be had, the rig uses the packaged one.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from devtool import packages
from devtool.paths import cache_dir
from devtool.ui import Failure, Stopwatch, say

VERSION = "3.0"
TARBALL = "bochs_3.0+dfsg.orig.tar.xz"
TARBALL_SHA256 = "78f6c73d4a6472d5130a87ab9dc306d02c7c71ed8e25b3a8ef642e2a7acd282b"
SOURCE_LIST = "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror} trixie main\n"
# Raised when the build below changes, so that old builds are made anew.
BUILD_REVISION = "3"
# Where 3.0 is not what the SDM says: file, what is there, what should be.
CORRECTIONS = [
    # A virtual interrupt waits for RFLAGS.IF (vol. 3, 30.2.2) also when a physical one arrives meanwhile.
    ("cpu/event.cc", "if (is_pending(BX_EVENT_PENDING_VMX_VIRTUAL_INTR)) {",
     "if (is_unmasked_event_pending(BX_EVENT_PENDING_VMX_VIRTUAL_INTR)) {"),
    # An exit during its delivery tells which interrupt that was (vol. 3, 28.2.4).
    ("cpu/vapic.cc", "interrupt(vector, BX_EXTERNAL_INTERRUPT, 0, 0);",
     "vm->idt_vector_info = vector; interrupt(vector, BX_EXTERNAL_INTERRUPT, 0, 0);"),
    # A notification may find nothing posted (vol. 3, 30.6); the search for the highest request then gives -1.
    ("cpu/vapic.cc", "if (vector >= vm->rvi) vm->rvi = vector;\n\n  VMX_Evaluate_Pending_Virtual_Interrupts();\n\n  return",
     "if (lapic->highest_priority_int(virr) > vm->rvi) vm->rvi = vector;\n\n"
     "  VMX_Evaluate_Pending_Virtual_Interrupts();\n\n  return"),
    # With several CPUs an exit or a fault right after an exception's delivery, before its handler's first instruction,
    # saved the RIP of before (vol. 3, 28.3.3): the loop for one CPU commits it, the loop for several did not.
    ("cpu/cpu.cc", "void BX_CPU_C::cpu_run_trace(void)\n{\n",
     "void BX_CPU_C::cpu_run_trace(void)\n{\n  BX_CPU_THIS_PTR prev_rip = RIP;\n"
     "  BX_CPU_THIS_PTR speculative_rsp = false;\n\n"),
]
CONFIGURE = [
    "--with-nogui", "--without-x11", "--without-sdl2", "--without-wx", "--enable-all-optimizations",
    "--enable-cpu-level=6", "--enable-x86-64", "--enable-vmx=2", "--enable-svm", "--enable-avx",
    "--enable-evex", "--enable-e1000", "--enable-smp", "--enable-long-phy-address", "--enable-pci",
    "--enable-a20-pin", "--disable-docbook", "CXXFLAGS=-O3",
]


def prefix() -> Path:
    return cache_dir() / f"bochs-{VERSION}-{BUILD_REVISION}"


def stamp() -> Path:
    return prefix() / "stamp"


def is_built() -> bool:
    return stamp().is_file() and stamp().read_text().strip() == BUILD_REVISION


def mirror() -> str:
    """Where this machine has its Debian packages; the same place has trixie's sources."""
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages",
                             "Origin: Debian", "Codename: bookworm"], capture_output=True, text=True)
    if not listed.stdout.strip():
        raise Failure("apt knows no mirror of Debian 12 yet", "apt-get update")
    return listed.stdout.split()[0]


def download(work: Path) -> Path:
    """The source tarball, digest checked, kept in the cache."""
    kept = cache_dir() / TARBALL
    if not kept.is_file() or digest(kept) != TARBALL_SHA256:
        for folder in ("lists/partial", "archives/partial"):
            (work / "apt" / folder).mkdir(parents=True)
        (work / "list").write_text(SOURCE_LIST.format(mirror=mirror()))
        apt = ["apt-get", "-q", "-o", f"Dir::Etc::sourcelist={work}/list", "-o",
               "Dir::Etc::sourceparts=/dev/null", "-o", f"Dir::State::lists={work}/apt/lists", "-o",
               f"Dir::Cache={work}/apt", "-o", "APT::Sandbox::User="]
        subprocess.run([*apt, "update"], check=True, capture_output=True)
        # The .dsc may be gone from the archive while the tarball still arrives: its digest decides.
        subprocess.run([*apt, "source", "--download-only", "bochs"], cwd=work, capture_output=True)
        arrived = work / TARBALL
        if not arrived.is_file():
            raise Failure(f"{TARBALL} did not arrive from Debian's archive")
        if digest(arrived) != TARBALL_SHA256:
            raise Failure(f"{TARBALL} has SHA-256 {digest(arrived)}, not {TARBALL_SHA256}")
        partial = kept.with_suffix(".partial")
        shutil.copyfile(arrived, partial)
        partial.rename(kept)
    return kept


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build() -> None:
    packages.need("bochs-source")
    watch = Stopwatch()
    say(f"building Bochs {VERSION} (once, a few minutes)")
    with tempfile.TemporaryDirectory(prefix="skep-bochs-") as name:
        work = Path(name)
        tarball = download(work)
        source = work / "source"
        source.mkdir()
        subprocess.run(["tar", "xf", tarball, "-C", source, "--strip-components=1"], check=True)
        correct(source)
        compilers = ["CC=ccache gcc", "CXX=ccache g++"] if shutil.which("ccache") else []
        logged(source, "./configure", f"--prefix={prefix()}", *CONFIGURE, *compilers)
        logged(source, "make", f"-j{os.cpu_count() or 1}", "bochs")
        (prefix() / "bin").mkdir(parents=True, exist_ok=True)
        partial = prefix() / "bin" / "bochs.partial"
        shutil.copy2(source / "bochs", partial)
        partial.rename(prefix() / "bin" / "bochs")
    stamp().write_text(BUILD_REVISION + "\n")
    say(f"built Bochs {VERSION} in {watch}")


def correct(source: Path) -> None:
    for name, wrong, right in CORRECTIONS:
        text = (source / name).read_text()
        if text.count(wrong) != 1:
            raise Failure(f"{name} of Bochs {VERSION} is not the one that the corrections are for")
        (source / name).write_text(text.replace(wrong, right))


def logged(cwd: Path, *command: str) -> None:
    """Runs a step of the build; its whole output stays in the cache for whoever has to look."""
    log = cache_dir() / "bochs-build.log"
    with log.open("w") as out:
        done = subprocess.run(["nice", "-n", "5", *command], cwd=cwd, stdin=subprocess.DEVNULL,
                              stdout=out, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise Failure(f"building Bochs failed at `{command[0]}`, see {log}")


def ensure() -> None:
    """Builds the fast Bochs unless it is there; says so and goes on when that fails."""
    if is_built():
        return
    try:
        build()
    except (Failure, OSError, subprocess.CalledProcessError) as error:
        say(f"no Bochs {VERSION}: {error}; using the packaged Bochs, about three times slower")
