"""A guest with several vCPUs, two of them at work, is saved and restored."""

import pytest

from demo import counts, flow, guest
from demo.host import Host
from devtool import builder
from devtool.paths import BUILD
from scenario.conftest import delete

# skep-guest counts on one CPU; beside it a shell on another prints how far it is.
COMMAND = """\
busybox grep -c ^processor /proc/cpuinfo | busybox sed 's/^/processors: /'
busybox taskset 1 sh -c 'n=0; while :; do n=$((n+1)); echo "beside: $n"; busybox sleep 1; done' &
exec busybox taskset 2 /bin/skep-guest"""


@pytest.fixture
def busy(made, tmp_path) -> guest.Guest:
    archive = guest.initramfs(builder.programs()["skep-guest"], guest.MODULES, COMMAND)
    with (tmp_path / "initrd").open("wb") as out:
        archive.write(out)
    return guest.Guest(made.kernel, tmp_path / "initrd")


@pytest.mark.parametrize("vcpus", [2, 4])
def test_vcpus_go_on_after_a_restore(rig, appliance_image, busy, vcpus):
    with Host(rig, appliance_image, BUILD / "scenario" / rig, f"{vcpus}-vcpus", cpus=vcpus) as host:
        host.login()
        flow.upload(host, busy)
        host.skep("vm", "create", "many", "--cpus", str(vcpus), "--memory", "256M", "--kernel", "debian-kernel",
                  "--initrd", "guest-initrd", "--append", busy.command_line, "--disk", f"disk0={guest.DISK_MIB}M")
        host.skep("vm", "start", "many")
        with host.console("many") as console:
            console.wait_for(rf"^processors: {vcpus}\r?\n", 120 * host.patience)
            console.wait_for(r"^skep-guest: count 2 .*\n", 120 * host.patience)
            console.wait_for(r"^beside: \d+\r?\n", 60 * host.patience)
            host.skep("snapshot", "save", "many", "both", "--stop", timeout=120)
            console.line.wait_end(10 * host.patience)
            text = console.text()
        at_save = counts.judge(text)
        delete(host, "many")
        host.skep("snapshot", "restore", "both", "many", timeout=120)
        with host.console("many") as console:
            console.wait_for(rf"^skep-guest: count {at_save + 3} .*\n", 60 * host.patience)
            console.wait_for(r"^beside: \d+\r?\n", 60 * host.patience)
            assert counts.judge(text + console.text()) >= at_save + 3
