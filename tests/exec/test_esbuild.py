"""esbuild's own FreeBSD executable (made by Go, from npm), beside its Linux executable of the same version."""

import hashlib
import shutil
import subprocess
import tarfile

import pytest

import project
from demo.command import run
from devtool.paths import cache_dir

VERSION = "0.19.12"
DIGESTS = {
    "freebsd-x64": "af73987364af3de2177b138d763a31bd6c72f2f05264be6f6c6afa45a7bb155b",
    "linux-x64": "ee5aa4e80c55344de1812d7c5b1094c88129a593fa95452f13c1eb3ca5e07f88",
}
ARGUMENTS = ["src/main.ts", "--bundle", "--minify", "--sourcemap", "--format=esm", "--target=es2017", "--log-level=info",
             "--metafile=out/meta.json", "--outfile=out/bundle.js"]
OUTPUTS = ["out/bundle.js", "out/bundle.js.map", "out/meta.json"]


def program(system: str):
    """package/bin/esbuild of the pinned package, kept in the cache."""
    kept = cache_dir() / "esbuild" / VERSION / system
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        name = f"@esbuild/{system}@{VERSION}"
        done = subprocess.run(["npm", "pack", "--silent", name], cwd=kept.parent, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"npm has no {name} here: {done.stderr.strip()[-300:]}")
        archive = kept.parent / f"esbuild-{system}-{VERSION}.tgz"
        assert hashlib.sha256(archive.read_bytes()).hexdigest() == DIGESTS[system]
        partial = kept.with_suffix(".partial")
        with tarfile.open(archive) as packed, packed.extractfile("package/bin/esbuild") as content:
            partial.write_bytes(content.read())
        partial.chmod(0o755)
        partial.rename(kept)
        archive.unlink()
    return kept


def digests(root) -> list[str]:
    return [hashlib.sha256((root / name).read_bytes()).hexdigest() for name in OUTPUTS]


def test_a_bundle_is_the_linux_one(rig, tmp_path):
    if not shutil.which("npm"):
        pytest.skip("no npm here")
    source = project.write(tmp_path / "project")
    assert len(list(source.rglob("*.ts"))) > 1000
    subprocess.run([program("linux-x64"), *ARGUMENTS], cwd=source, check=True, capture_output=True)
    expected = digests(source)
    assert (source / OUTPUTS[0]).stat().st_size > 100_000
    shutil.rmtree(source / "out")

    script = f"cd /root/project && /root/esbuild {' '.join(ARGUMENTS)} && sha256sum {' '.join(OUTPUTS)}"
    done = run(rig, "sh", "-c", script, add=[f"{program('freebsd-x64')}:/root/esbuild", source], cpus=2, time_limit=900)
    assert done.status == 0, done.output + done.errors
    assert [line.split()[0] for line in done.output.splitlines() if line.endswith(tuple(OUTPUTS)) and len(line.split()[0]) == 64] == expected, done.output
