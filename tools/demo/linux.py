"""Debian's own kernel, from its package, and the modules that a guest's initramfs needs."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from devtool import packages
from devtool.paths import cache_dir
from devtool.ui import Failure, say

META_PACKAGE = "linux-image-cloud-amd64"


def package_name() -> str:
    """The package of the kernel that the meta package stands for at this time."""
    for attempt in range(2):
        shown = subprocess.run(["apt-cache", "depends", META_PACKAGE], capture_output=True, text=True).stdout
        match = re.search(r"Depends: (linux-image-\S+)", shown)
        if match:
            return match[1]
        if attempt == 0:
            packages.apt("update")
    raise Failure(f"no package {META_PACKAGE} in the host's package lists", "run on Debian 12")


def fetch() -> Path:
    """The kernel package unpacked in the cache: the folder has boot/ and lib/modules/.

    One that was fetched before is used again, whatever is newest now; removing it from the cache updates it.
    """
    kept = sorted(cache_dir().glob("linux-image-*-cloud-amd64"))
    if kept:
        return kept[-1]
    name = package_name()
    say(f"fetching {name}")
    with tempfile.TemporaryDirectory(prefix="linux-", dir=cache_dir()) as work:
        # apt checks the package against the signed lists; it writes to its working directory.
        download = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", name]
        done = subprocess.run(download, cwd=work, capture_output=True, text=True)
        if done.returncode != 0:
            packages.apt("update")
            done = subprocess.run(download, cwd=work, capture_output=True, text=True)
        packed = list(Path(work).glob("*.deb"))
        if done.returncode != 0 or len(packed) != 1:
            raise Failure(f"{done.stderr.strip()}\n{name} did not arrive", "try again; is the network up?")
        tree = Path(work) / "tree"
        subprocess.run(["dpkg-deb", "-x", packed[0], tree], check=True)
        try:
            tree.rename(cache_dir() / name)
        except OSError:
            # Another clone was faster.
            shutil.rmtree(tree)
    return cache_dir() / name


def kernel() -> Path:
    return next((fetch() / "boot").glob("vmlinuz-*"))


def dependencies(module: Path) -> list[str]:
    """The names in the `depends=` field of the module's .modinfo section."""
    match = re.search(rb"\0depends=([^\0]*)\0", module.read_bytes())
    return [name for name in match[1].decode().split(",") if name] if match else []


def modules(names: list[str]) -> list[Path]:
    """These modules and all that they depend on, in an order in which they can be inserted."""
    by_name = {path.stem.replace("-", "_"): path for path in (fetch() / "lib/modules").rglob("*.ko")}
    order: list[Path] = []

    def visit(name: str) -> None:
        path = by_name.get(name.replace("-", "_"))
        if path is None:
            raise Failure(f"the kernel package has no module {name}")
        if path not in order:
            for other in dependencies(path):
                visit(other)
            order.append(path)

    for name in names:
        visit(name)
    return order
