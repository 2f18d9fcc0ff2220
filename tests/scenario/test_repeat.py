"""Saving and restoring again and again, at random moments of a guest's life."""

import os
import random
import time

from demo import counts
from scenario.conftest import delete

ROUNDS = 20
# Where a round saves: early ones fall into the kernel's boot, later ones into counting; some while it is idle.
IDLE_EVERY = 5


def test_twenty_saves_at_random_moments(host, vm, fresh, rig):
    seed = int(os.environ.get("SKEP_TEST_SEED", str(time.time_ns())))
    print(f"SKEP_TEST_SEED={seed}")
    chance = random.Random(seed)
    text = ""
    host.skep("vm", "start", vm)
    for turn in range(1, ROUNDS + 1):
        idle = turn % IDLE_EVERY == 0
        with host.console(vm) as console:
            if idle and counts.judge(text):
                console.send("pause\n")
                console.wait_for("skep-guest: pause", 30 * host.patience)
            time.sleep(chance.uniform(0, 0.5) * host.patience)
            snapshot = fresh()
            host.skep("snapshot", "save", vm, snapshot, "--stop", timeout=120)
            console.line.wait_end(10 * host.patience)
            text += console.text()
        counts.judge(text)
        delete(host, vm)
        host.skep("snapshot", "restore", snapshot, vm, timeout=120)
        host.skep("snapshot", "delete", snapshot)
        if idle and "skep-guest: pause" in text:
            with host.console(vm) as console:
                console.send("go\n")
                console.wait_for("skep-guest: go", 30 * host.patience)
                # What is read here is read again: the next attachment begins with all that is remembered.
    at_end = counts.judge(text)
    with host.console(vm) as console:
        console.wait_for(rf"^skep-guest: count {at_end + 3} .*\n", 60 * host.patience)
        last = counts.judge(text + console.text())
    assert last >= at_end + 3
