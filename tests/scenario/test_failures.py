"""What goes wrong stays where it is: a clear error or state, everything else goes on, memory comes back."""

import subprocess
import time

import pytest

from demo import flow
from demo.host import CommandError, Host
from devtool.appliance import Appliance
from devtool.paths import BUILD
from scenario.conftest import delete

# What one guest more may leave behind: caches of the kernel and of skepd, not a guest's memory.
SLACK_BYTES = 24 << 20
GUEST_BYTES = 256 << 20


def state(host, vm: str) -> str:
    return host.json("vm", "get", vm)["state"]


def free_bytes(host) -> int:
    return int(host.json("host", "get")["memoryFreeBytes"])


def wait_for_state(host, vm: str, wanted: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds * host.patience
    while (now := state(host, vm)) != wanted:
        assert time.monotonic() < deadline, f"{vm} is {now}, not {wanted}"
        time.sleep(0.5)


def start_and_count(host, vm: str):
    host.skep("vm", "start", vm)
    console = host.console(vm)
    console.wait_for(r"^skep-guest: count 1 .*\n", 120 * host.patience)
    return console


def test_a_wrong_token_is_refused(host):
    with pytest.raises(CommandError) as refused:
        host.skep("login", host.address, "--fingerprint", host.fingerprint, "--token", "AAAAA-AAAAA-AAAAA-AAAAA")
    assert "token" in refused.value.said.lower()
    # The credential of before still is good.
    host.json("host", "get")


def test_a_wrong_certificate_is_refused(host):
    with pytest.raises(CommandError) as refused:
        host.skep("login", host.address, "--fingerprint", ":".join(["00"] * 32), "--token", host.token)
    assert "fingerprint" in refused.value.said.lower()


def test_a_triple_fault_ends_that_guest_alone(host, made, vm, fresh):
    other = fresh()
    flow.create(host, other, made)
    with start_and_count(host, other) as watched, start_and_count(host, vm) as console:
        console.send("crash\n")
        wait_for_state(host, vm, "VM_STATE_CRASHED", 30)
        seen = int(watched.wait_for(r"count (\d+) ", 30 * host.patience)[1])
        watched.wait_for(rf"count {seen + 5} ram ok disk ok", 30 * host.patience)
    delete(host, other)


def test_a_killed_device_process_ends_its_guest_alone(rig, made):
    """skepd as a child of a shell on the console, so that the test can kill what skepd started."""
    image = Appliance(command=["sh", "-c", "/usr/sbin/skepd & exec sh"]).image("with-shell")
    with Host(rig, image, BUILD / "scenario" / rig, "with-shell") as own:
        own.login()
        flow.upload(own, made)
        flow.create(own, "killed", made)
        start_and_count(own, "killed").__exit__()
        before = free_bytes(own)
        own.machine.send(b"killall -9 skep-vmm\n")
        wait_for_state(own, "killed", "VM_STATE_CRASHED", 30)
        assert free_bytes(own) > before + GUEST_BYTES - SLACK_BYTES
        # The same guest starts anew, and so does another one.
        start_and_count(own, "killed").__exit__()
        flow.create(own, "other", made)
        start_and_count(own, "other").__exit__()


def test_memory_comes_back(host, made, fresh):
    def life():
        name = fresh()
        flow.create(host, name, made)
        start_and_count(host, name).__exit__()
        host.skep("vm", "stop", name)
        delete(host, name)

    life()
    before = free_bytes(host)
    life()
    assert free_bytes(host) > before - SLACK_BYTES


def test_a_client_that_goes_away_in_an_export_or_import(host, vm, fresh, tmp_path):
    with start_and_count(host, vm):
        snapshot = fresh()
        host.skep("snapshot", "save", vm, snapshot, "--stop", timeout=120)
    whole = tmp_path / "whole.skep"
    host.skep("snapshot", "export", snapshot, whole, timeout=120)
    for words in (["export", snapshot, tmp_path / "part.skep"], ["import", fresh(), whole]):
        client = subprocess.Popen([host.program, "snapshot", *map(str, words)], env=host.environment(),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.1 * host.patience)
        client.kill()
        client.wait()
    assert not (tmp_path / "part.skep").exists() or \
        (tmp_path / "part.skep").read_bytes() == whole.read_bytes()
    again = tmp_path / "again.skep"
    host.skep("snapshot", "export", snapshot, again, timeout=120)
    assert again.read_bytes() == whole.read_bytes()
    restored = fresh()
    host.skep("snapshot", "restore", snapshot, restored, timeout=120)
    with host.console(restored) as console:
        console.wait_for(r"ram ok disk ok", 60 * host.patience)
    delete(host, restored)


def test_a_broken_snapshot_is_refused_whole(host, vm, fresh, tmp_path):
    with start_and_count(host, vm):
        snapshot = fresh()
        host.skep("snapshot", "save", vm, snapshot, "--stop", timeout=120)
    whole = tmp_path / "whole.skep"
    host.skep("snapshot", "export", snapshot, whole, timeout=120)
    data = bytearray(whole.read_bytes())
    data[len(data) // 2] ^= 0x40
    for name, content in (("flipped", data), ("cut", whole.read_bytes()[:-1000])):
        broken = tmp_path / f"{name}.skep"
        broken.write_bytes(content)
        imported = fresh()
        with pytest.raises(CommandError) as refused:
            host.skep("snapshot", "import", imported, broken, timeout=120)
        assert "offset" in refused.value.said.lower(), refused.value.said
        with pytest.raises(CommandError) as absent:
            host.skep("snapshot", "get", imported)
        assert absent.value.status == 3
