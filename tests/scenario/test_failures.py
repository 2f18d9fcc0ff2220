"""What goes wrong stays where it is: a clear error or state, everything else goes on, memory comes back."""

import subprocess
import time

import pytest

from demo import flow
from demo.host import READY, CommandError, Host
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


@pytest.fixture
def once(rig):
    """For what the processor makes no difference to: the faster emulator will do."""
    if rig == "bochs":
        pytest.skip("the same on every processor; QEMU runs it")


def operation_under_way(host, kind: str, seconds: float) -> str | None:
    """Its id, as soon as it has got somewhere; None if it is done before that is seen."""
    deadline = time.monotonic() + seconds * host.patience
    while time.monotonic() < deadline:
        newest = host.json("operation", "list").get("operations", [])[:1]
        if newest and newest[0]["kind"] == kind:
            if newest[0].get("done"):
                return None
            if int(newest[0].get("progress", {}).get("doneBytes", 0)) > 0:
                return newest[0]["name"].split("/")[1]
        time.sleep(0.1)
    raise AssertionError(f"no {kind} began")


def test_a_cancelled_save_leaves_nothing_and_the_guest_goes_on(once, host, vm, fresh):
    with start_and_count(host, vm) as console:
        for _ in range(5):  # a save may be done before it can be cancelled
            snapshot = fresh()
            client = subprocess.Popen([host.program, "snapshot", "save", vm, snapshot], env=host.environment(),
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            operation = operation_under_way(host, "SaveSnapshot", 60)
            if operation:
                host.skep("operation", "cancel", operation)
            said = client.communicate(timeout=120 * host.patience)[1]
            if client.returncode == 0:
                continue
            assert client.returncode == 1 and "CANCELLED" in said, said
            break
        else:
            raise AssertionError("no save could be cancelled")
        with pytest.raises(CommandError) as absent:
            host.skep("snapshot", "get", snapshot)
        assert absent.value.status == 3
        assert state(host, vm) == "VM_STATE_RUNNING"
        seen = int(console.wait_for(r"count (\d+) ", 60 * host.patience)[1])
        console.wait_for(rf"count {seen + 3} ram ok disk ok", 60 * host.patience)
        # The name is free again.
        host.skep("snapshot", "save", vm, snapshot, timeout=120)


def test_two_saves_of_one_guest_do_not_meet(once, host, vm, fresh):
    with start_and_count(host, vm):
        first, second = fresh(), fresh()
        clients = [subprocess.Popen([host.program, "snapshot", "save", vm, name], env=host.environment(),
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                   for name in (first, second)]
        said = [client.communicate(timeout=120 * host.patience)[1] for client in clients]
        done = [client.returncode == 0 for client in clients]
        assert any(done), said
        for name, good, text in zip((first, second), done, said):
            if good:
                assert host.json("snapshot", "get", name)["sourceVm"] == f"vms/{vm}"
            else:
                assert "VM_BUSY" in text or "another operation works on" in text, text
        assert state(host, vm) == "VM_STATE_RUNNING"


def test_a_skepd_killed_in_a_save_leaves_nothing(once, rig, made):
    image = Appliance(command=["sh", "-c", "/usr/sbin/skepd & exec sh"]).image("with-shell")
    with Host(rig, image, BUILD / "scenario" / rig, "killed-skepd") as own:
        own.login()
        before = free_bytes(own)
        flow.upload(own, made)
        flow.create(own, "saved", made)
        start_and_count(own, "saved").__exit__()
        client = subprocess.Popen([own.program, "snapshot", "save", "saved", "half"], env=own.environment(),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        operation_under_way(own, "SaveSnapshot", 60)
        own.machine.send(b"killall -9 skepd\n")
        client.wait(120 * own.patience)
        own.machine.send(b"/usr/sbin/skepd &\n")
        own.machine.wait_for(READY, 60 * own.patience)
        assert own.json("vm", "get", "saved")["state"] == "VM_STATE_STOPPED"
        # Done just before it was killed, or nothing of it.
        kept = [snapshot["name"] for snapshot in own.json("snapshot", "list").get("snapshots", [])]
        own.machine.send(b"echo files: $(ls -A /var/lib/skep/snapshots) .\n")
        files = own.machine.wait_for(r"^files: (.*)\.\r?\n", 30 * own.patience)[1].decode().split()
        assert [f"snapshots/{name}" for name in files] == kept, (files, kept)
        for name in files:
            own.skep("snapshot", "delete", name)
        wait_for_memory(own, before - made.kernel.stat().st_size - made.initrd.stat().st_size - SLACK_BYTES)
        start_and_count(own, "saved").__exit__()


def wait_for_memory(host, wanted: int) -> None:
    """The device process of a dead skepd ends by itself, soon."""
    deadline = time.monotonic() + 60 * host.patience
    while (free := free_bytes(host)) < wanted:
        assert time.monotonic() < deadline, f"{free} bytes are free, {wanted} were expected"
        time.sleep(0.5)


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
