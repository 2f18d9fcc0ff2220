"""Writes newc cpio archives that depend on their content alone: sorted, no times, no owners.

Format: cpio(5), "New ASCII Format": 110 bytes of header in hexadecimal, the name, the data, each padded to 4 bytes.
"""

import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Entry:
    mode: int
    data: bytes


class Archive:
    """Files by their absolute path; parent folders come by themselves."""

    def __init__(self):
        self.entries: dict[str, Entry] = {}

    def add(self, path: str, entry: Entry) -> None:
        path = path.strip("/")
        parent = path.rpartition("/")[0]
        if parent and parent not in self.entries:
            self.folder(parent)
        self.entries[path] = entry

    def folder(self, path: str, mode: int = 0o755) -> None:
        self.add(path, Entry(stat.S_IFDIR | mode, b""))

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        self.add(path, Entry(stat.S_IFREG | mode, data))

    def link(self, path: str, target: str) -> None:
        self.add(path, Entry(stat.S_IFLNK | 0o777, target.encode()))

    def tree(self, source: Path, path: str) -> None:
        """A file or a folder of the host with everything in it."""
        if source.is_symlink() and not source.exists():
            self.link(path, str(source.readlink()))
        elif source.is_dir():
            self.folder(path)
            for child in sorted(source.iterdir()):
                if child.is_symlink():
                    self.link(f"{path}/{child.name}", str(child.readlink()))
                else:
                    self.tree(child, f"{path}/{child.name}")
        else:
            executable = source.stat().st_mode & 0o111
            self.file(path, source.read_bytes(), 0o755 if executable else 0o644)

    def write(self, out) -> None:
        for number, (path, entry) in enumerate(sorted(self.entries.items()), start=1):
            write_record(out, path, entry, number)
        write_record(out, "TRAILER!!!", Entry(0, b""), 0)


def write_record(out, path: str, entry: Entry, inode: int) -> None:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = [inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, 0, 0, len(name), 0]
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    out.write(header + name + padding(len(header) + len(name)))
    out.write(entry.data)
    out.write(padding(len(entry.data)))


def padding(length: int) -> bytes:
    return b"\0" * (-length % 4)
