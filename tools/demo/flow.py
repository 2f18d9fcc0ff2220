"""The main job: run a Linux guest on one appliance, save it, restore it on another, see that it goes on."""

from pathlib import Path

from demo import counts, guest
from demo.host import Host
from devtool import builder, proc
from devtool.ui import Stopwatch

COUNTS_BEFORE_SAVE = 10
COUNTS_AFTER_RESTORE = 10
VM = "demo"
SNAPSHOT = "demo-1"


class Steps:
    """Says what is done and how long it took."""

    def __init__(self, say):
        self.say = say
        self.total = Stopwatch()
        self.seconds: dict[str, float] = {}

    def step(self, name: str, text: str):
        return Step(self, name, text)


class Step:
    def __init__(self, steps: Steps, name: str, text: str):
        self.steps = steps
        self.name = name
        self.text = text
        self.note = ""

    def __enter__(self):
        self.watch = Stopwatch()
        return self

    def __exit__(self, kind, *_):
        seconds = self.watch.seconds()
        self.steps.seconds[self.name] = seconds
        outcome = "FAILED after" if kind else "took"
        note = f" ({self.note})" if self.note else ""
        self.steps.say(f"[{self.steps.total.seconds():7.1f} s] {self.text}{note}: {outcome} {seconds:.1f} s")


def demonstrate(rig: str, image: Path, folder: Path, say, **config) -> dict[str, float]:
    """Runs the whole demonstration; returns the seconds of each step. What goes wrong is raised."""
    folder.mkdir(parents=True, exist_ok=True)
    steps = Steps(say)
    with steps.step("guest", "made the guest: Debian's kernel, an initramfs of busybox and skep-guest"):
        made = guest.make()
        builder.ensure(["skep", "skep-snap"])
    exported = folder / "exported.skep"
    exported.unlink(missing_ok=True)
    first = Host(rig, image, folder, "first", **config)
    with steps.step("boot_first", "booted the first appliance, its API answers"):
        first.boot()
    with first:
        before = run_and_save(first, made, exported, steps)
    second = Host(rig, image, folder, "second", **config)
    with steps.step("boot_second", "booted a second, empty appliance"):
        second.boot()
    with second:
        last = restore_and_watch(second, exported, before, steps)
    at_save = counts.judge(before)
    say(f"the guest counted to {at_save} on the first appliance and from {at_save + 1} to {last} on the second; "
        f"64 MiB of memory and its disk are intact")
    return steps.seconds


def run_and_save(host: Host, made: guest.Guest, exported: Path, steps: Steps) -> str:
    """Leaves the saved guest in `exported`; returns all that it printed."""
    with steps.step("login", f"logged in at {host.address} with the one-time token and the certificate's fingerprint"):
        host.login()
    with steps.step("upload", "uploaded the guest's kernel and initramfs") as step:
        upload(host, made)
        step.note = f"{(made.kernel.stat().st_size + made.initrd.stat().st_size) / 1e6:.1f} MB"
    with steps.step("create", "created the guest with a virtio disk"):
        create(host, VM, made)
    with host_console(host, VM, steps) as console:
        with steps.step("count", f"watched it count to {COUNTS_BEFORE_SAVE}"):
            console.wait_for(rf"^skep-guest: count {COUNTS_BEFORE_SAVE} .*\n", 60 * host.patience)
        with steps.step("save", "saved it with stop"):
            host.skep("snapshot", "save", VM, SNAPSHOT, "--stop", timeout=120)
        console.line.wait_end(10 * host.patience)
        before = console.text()
    with steps.step("export", "exported the snapshot to a file on this machine") as step:
        host.skep("snapshot", "export", SNAPSHOT, exported, timeout=120)
        step.note = f"{exported.stat().st_size / 1e6:.1f} MB"
    with steps.step("verify", "verified the file with skep-snap"):
        proc.run([builder.programs()["skep-snap"], "verify", exported])
    return before


def upload(host: Host, made: guest.Guest) -> None:
    host.skep("image", "upload", "debian-kernel", made.kernel, timeout=120)
    host.skep("image", "upload", "guest-initrd", made.initrd, timeout=120)


def create(host: Host, vm: str, made: guest.Guest) -> None:
    host.skep("vm", "create", vm, "--memory", "256M", "--kernel", "debian-kernel", "--initrd", "guest-initrd",
              "--append", made.command_line, "--disk", f"disk0={guest.DISK_MIB}M")


def host_console(host: Host, vm: str, steps: Steps):
    """Starts the guest and attaches to its console."""
    with steps.step("guest_boot", "started it; its first count is on the console"):
        host.skep("vm", "start", vm)
        console = host.console(vm)
        console.wait_for(r"^skep-guest: count 1 .*\n", 120 * host.patience)
    return console


def restore_and_watch(host: Host, exported: Path, before: str, steps: Steps) -> int:
    """Imports, restores, and judges the joined output; returns the last count."""
    with steps.step("login_second", "logged in there"):
        host.login()
    with steps.step("import", "imported the snapshot"):
        host.skep("snapshot", "import", SNAPSHOT, exported, timeout=120)
    at_save = counts.judge(before)
    with steps.step("restore", "restored it; the guest goes on counting"):
        host.skep("snapshot", "restore", SNAPSHOT, VM, timeout=120)
        console = host.console(VM)
        with console:
            console.wait_for(rf"count {at_save + COUNTS_AFTER_RESTORE} .*\n", 60 * host.patience)
            text = console.text()
    return counts.judge(before + text)
