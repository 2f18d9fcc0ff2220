"""The archive writer against Debian's cpio."""

import io
import subprocess

from image.cpio import Archive


def archive() -> Archive:
    made = Archive()
    made.file("etc/skep/exec", b"a\0b\0")
    made.file("bin/busybox", b"x" * 4097, 0o755)
    made.link("bin/sh", "/bin/busybox")
    made.folder("tmp", 0o1777)
    return made


def written(made: Archive) -> bytes:
    out = io.BytesIO()
    made.write(out)
    return out.getvalue()


def test_extracts_with_the_distributions_cpio(tmp_path):
    done = subprocess.run(["busybox", "cpio", "-idm"], input=written(archive()), cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "etc/skep/exec").read_bytes() == b"a\0b\0"
    assert (tmp_path / "bin/busybox").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "bin/busybox").stat().st_size == 4097
    assert str((tmp_path / "bin/sh").readlink()) == "/bin/busybox"
    assert (tmp_path / "tmp").is_dir()


def test_depends_on_the_content_alone():
    other = Archive()
    other.folder("tmp", 0o1777)
    other.link("bin/sh", "/bin/busybox")
    other.file("bin/busybox", b"x" * 4097, 0o755)
    other.file("etc/skep/exec", b"a\0b\0")
    assert written(other) == written(archive())
