"""The root archive of an appliance: our programs, busybox, a minimal /etc, and what the caller adds."""

import hashlib
import subprocess
from pathlib import Path

from devtool.paths import BUILD
from devtool.ui import Failure
from image.cpio import Archive

BUSYBOX = Path("/bin/busybox")
# Where each program of the build lives in the appliance.
PLACES = {
    "init": "sbin/init",
    "skepd": "usr/sbin/skepd",
    "skep-vmm": "usr/libexec/skep-vmm",
    "skep": "usr/bin/skep",
}
FOLDERS = ["dev", "mnt", "proc", "root", "run", "sys", "var/lib/skep", "var/log", "var/tmp"]
ETC = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "hostname": "skep\n",
    "resolv.conf": "nameserver 10.0.2.3\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def applets() -> list[str]:
    """Paths of busybox's own list of applets, such as bin/sh."""
    done = subprocess.run([BUSYBOX, "--list-full"], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"{BUSYBOX} does not list its applets", "tools/dev setup")
    return done.stdout.split()


def stripped(program: Path) -> bytes:
    """The program without its symbols; made once per content."""
    content = program.read_bytes()
    kept = BUILD / "image" / "stripped" / f"{program.name}-{hashlib.sha256(content).hexdigest()[:16]}"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        for old in kept.parent.glob(f"{program.name}-*"):
            if len(old.name) == len(kept.name):
                old.unlink()
        partial = kept.with_suffix(".partial")
        subprocess.run(["strip", "-o", partial, program], check=True)
        partial.rename(kept)
    return kept.read_bytes()


def base(programs: dict[str, Path]) -> Archive:
    archive = Archive()
    for folder in FOLDERS:
        archive.folder(folder)
    archive.folder("tmp", 0o1777)
    archive.file("bin/busybox", BUSYBOX.read_bytes(), 0o755)
    for applet in applets():
        if applet != "bin/busybox" and applet not in PLACES.values():
            archive.link(applet, "/bin/busybox")
    for name, text in ETC.items():
        archive.file(f"etc/{name}", text.encode())
    for name, place in PLACES.items():
        if name in programs:
            archive.file(place, stripped(programs[name]), 0o755)
    return archive


def add_extra(archive: Archive, extra: str) -> None:
    """PATH[:DEST]: a file or folder of the host; DEST is its path in the root, by default /root/NAME.

    A DEST that ends with a slash is the folder to put it into.
    """
    source, _, dest = extra.partition(":")
    path = Path(source)
    if not path.exists():
        raise Failure(f"--add {extra}: {source} does not exist")
    if not dest:
        dest = f"/root/{path.resolve().name}"
    elif dest.endswith("/"):
        dest += path.resolve().name
    archive.tree(path, dest)


def set_command(archive: Archive, command: list[str]) -> None:
    """Tells /sbin/init to run this instead of the appliance's services."""
    archive.file("etc/skep/exec", b"".join(word.encode() + b"\0" for word in command))
