"""A real snapshot, damaged on the way: refused by record and offset, or the damage meant nothing."""

import os
import random
import re
import subprocess

import pytest

from devtool import builder
from scenario.conftest import delete

# Each flip has skep-snap read the whole file; SKEP_DAMAGE=2000 takes its time.
FLIPS = int(os.environ.get("SKEP_DAMAGE", "40"))
CUTS = max(FLIPS // 10, 4)


@pytest.fixture(scope="module")
def exported(host, made, tmp_path_factory):
    from demo import flow

    flow.create(host, "damage", made)
    host.skep("vm", "start", "damage")
    with host.console("damage") as console:
        console.wait_for(r"^skep-guest: count 1 .*\n", 120 * host.patience)
    host.skep("snapshot", "save", "damage", "damage", "--stop", timeout=120)
    path = tmp_path_factory.mktemp("damage") / "whole.skep"
    host.skep("snapshot", "export", "damage", path, timeout=120)
    host.skep("snapshot", "delete", "damage")
    delete(host, "damage")
    builder.ensure(["skep-snap"])
    return path


def verify(path) -> subprocess.CompletedProcess:
    return subprocess.run([builder.programs()["skep-snap"], "verify", path], capture_output=True, text=True)


def assert_refused(done: subprocess.CompletedProcess, what: str) -> None:
    said = done.stdout + done.stderr
    assert done.returncode in (1, 3), f"{what}: status {done.returncode}: {said}"
    assert re.search(r"offset \d+", said), f"{what}: {said}"


def test_it_is_whole(exported):
    assert verify(exported).returncode == 0


def test_flipped_bytes_are_refused(exported, tmp_path):
    seed = int(os.environ.get("SKEP_TEST_SEED", str(random.randrange(1 << 32))))
    print(f"SKEP_TEST_SEED={seed}")
    chance = random.Random(seed)
    data = bytearray(exported.read_bytes())
    broken = tmp_path / "broken.skep"
    broken.write_bytes(data)
    for _ in range(FLIPS):
        place, flip = chance.randrange(len(data)), chance.randrange(1, 256)
        with broken.open("r+b") as file:
            file.seek(place)
            file.write(bytes([data[place] ^ flip]))
            file.flush()
            assert_refused(verify(broken), f"byte {place} flipped by {flip:#x}")
            file.seek(place)
            file.write(data[place:place + 1])
    assert verify(broken).returncode == 0


def test_truncations_are_refused(exported, tmp_path):
    chance = random.Random(7)
    data = exported.read_bytes()
    broken = tmp_path / "broken.skep"
    for _ in range(CUTS):
        length = chance.randrange(len(data))
        broken.write_bytes(data[:length])
        assert_refused(verify(broken), f"cut to {length} bytes")
