"""Debian's own programs, unmodified, for the root of an appliance: with the interpreter and the libraries they ask for."""

import re
import shutil
import subprocess
from pathlib import Path


def libraries(program: str | Path) -> list[str]:
    """Paths of the ELF interpreter and of every shared library, as the host's loader finds them."""
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", listing)


class Bundle:
    """A folder that is laid over the appliance's root: files at the paths that they have on the host."""

    def __init__(self, folder: Path):
        self.folder = folder

    def file(self, path: str | Path, source: str | Path | None = None) -> "Bundle":
        place = self.folder / str(path).lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source or path, place)
        return self

    def text(self, path: str, content: str) -> "Bundle":
        place = self.folder / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
        return self

    def program(self, path: str) -> "Bundle":
        for name in [path, *libraries(path)]:
            self.file(name)
        return self

    def package(self, name: str, below: str) -> "Bundle":
        """The files of an installed package in one folder."""
        listing = subprocess.run(["dpkg", "-L", name], capture_output=True, text=True, check=True).stdout
        for path in listing.splitlines():
            if path.startswith(below) and Path(path).is_file():
                self.file(path)
        return self

    def add(self) -> list[str]:
        """For `tools/dev exec --add`."""
        return [f"{child}:/{child.name}" for child in sorted(self.folder.iterdir())]
