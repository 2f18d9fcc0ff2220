"""A guest with two vCPUs, each at work, is saved and restored."""

import pytest

from demo import counts, flow, guest
from demo.host import Host
from devtool import builder
from devtool.paths import BUILD
from scenario.conftest import delete

# skep-guest counts on one CPU; beside it a shell on the other prints how far it is.
COMMAND = """\
busybox grep -c ^processor /proc/cpuinfo | busybox sed 's/^/processors: /'
busybox taskset 1 sh -c 'n=0; while :; do n=$((n+1)); echo "beside: $n"; busybox sleep 1; done' &
exec busybox taskset 2 /bin/skep-guest"""


@pytest.fixture
def two(made, tmp_path) -> guest.Guest:
    archive = guest.initramfs(builder.programs()["skep-guest"], guest.MODULES, COMMAND)
    with (tmp_path / "initrd").open("wb") as out:
        archive.write(out)
    return guest.Guest(made.kernel, tmp_path / "initrd")


def test_two_vcpus_go_on_after_a_restore(rig, appliance_image, two):
    if rig == "bochs":
        pytest.skip("its CPUs share one thread of the host: too slow for two vCPUs that wait for each other")
    with Host(rig, appliance_image, BUILD / "scenario" / rig, "two-vcpus", cpus=2) as host:
        host.login()
        flow.upload(host, two)
        host.skep("vm", "create", "two", "--cpus", "2", "--memory", "256M", "--kernel", "debian-kernel",
                  "--initrd", "guest-initrd", "--append", two.command_line, "--disk", f"disk0={guest.DISK_MIB}M")
        host.skep("vm", "start", "two")
        with host.console("two") as console:
            console.wait_for(r"^processors: 2\r?\n", 120 * host.patience)
            console.wait_for(r"^skep-guest: count 2 .*\n", 120 * host.patience)
            console.wait_for(r"^beside: \d+\r?\n", 60 * host.patience)
            host.skep("snapshot", "save", "two", "both", "--stop", timeout=120)
            console.line.wait_end(10 * host.patience)
            text = console.text()
        at_save = counts.judge(text)
        delete(host, "two")
        host.skep("snapshot", "restore", "both", "two", timeout=120)
        with host.console("two") as console:
            console.wait_for(rf"^skep-guest: count {at_save + 3} .*\n", 60 * host.patience)
            console.wait_for(r"^beside: \d+\r?\n", 60 * host.patience)
            assert counts.judge(text + console.text()) >= at_save + 3
