"""Emulators end with the program that started them: at exit, on signals, and when it is killed."""

import atexit
import ctypes
import signal

PR_SET_PDEATHSIG = 1  # prctl(2)
libc = ctypes.CDLL(None)
machines: set = set()


def die_with_parent() -> None:
    """Runs in the child between fork and exec: the kernel kills it when its parent is gone."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def register(machine) -> None:
    machines.add(machine)


def forget(machine) -> None:
    machines.discard(machine)


@atexit.register
def stop_all() -> None:
    for machine in list(machines):
        machine.stop()
