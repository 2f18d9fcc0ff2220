"""Boots the appliance with extra files in its root, runs COMMAND in place of the services, passes its
output through and exits with its status.

  tools/dev exec -- uname -a
  tools/dev exec --bare --add ./hello -- /root/hello
  tools/dev exec --rig bochs --cpus 2 -- sh -c 'echo $0'

A command killed by signal N leaves 128+N; the time limit 124; a machine that ends otherwise 125. The whole serial
line is in build/exec/NAME.log; --verbose shows it as it comes.
"""

import argparse
import os
import re
import sys
import termios
import threading

from devtool import appliance
from devtool.paths import BUILD
from devtool.ui import complain
from rig.machine import RigError

# The two lines by which /sbin/init frames the command's output.
START = r"^skep-exec: start\r?\n"
END = r"^skep-exec: exit (\d+)\r?\n"
END_PREFIX = b"\nskep-exec: exit "
POWER_OFF_SECONDS = 10


def arguments(parser) -> None:
    appliance.rig_arguments(parser)
    appliance.image_arguments(parser)
    parser.add_argument("--time-limit", type=float, default=300, metavar="SECONDS", help="default 300")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the whole serial line")
    parser.add_argument("--name", default=f"exec-{os.getpid()}", help=argparse.SUPPRESS)
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="after --")


def run(options) -> int:
    rig = appliance.prepare(options.rig)
    image = appliance.Appliance(options.bare, options.add, options.command, options.kernel_arg,
                                options.hv_arg, options.checks).image(options.name)
    log = BUILD / "exec" / f"{options.name}.log"
    config = appliance.config_of(options, image, time_limit=options.time_limit, serial_log=log,
                                 live=sys.stdout.buffer if options.verbose else Framed(sys.stdout.buffer))
    try:
        with appliance.start(rig, config) as machine, Typing(machine):
            status = int(machine.wait_for(END, options.time_limit + 5)[1])
            power_off(machine)
    except RigError as error:
        complain(str(error))
        return 124 if machine.timed_out else 125
    finally:
        image.unlink(missing_ok=True)
    return status


def power_off(machine) -> None:
    try:
        machine.wait_exit(POWER_OFF_SECONDS)
    except RigError:
        complain(f"the machine did not power off within {POWER_OFF_SECONDS} s after the command")


class Framed:
    """Passes on what comes between the start and the end line; holds back what might become the end line."""

    def __init__(self, out):
        self.out = out
        self.held = b""
        self.started = False
        self.ended = False

    def write(self, data: bytes) -> None:
        if self.ended:
            return
        self.held += data
        if not self.started:
            start = re.search(START.encode(), self.held, re.MULTILINE)
            if not start:
                return
            self.held = self.held[start.end():]
            self.started = True
        end = re.search(rb"\r?\n?" + END.encode(), self.held, re.MULTILINE)
        if end:
            self.put(self.held[:end.start()])
            self.ended = True
            return
        keep = self.possible_end()
        self.put(self.held[:keep])
        self.held = self.held[keep:]

    def possible_end(self) -> int:
        """Where the end line, with the line end before it, may begin in what is held."""
        for at in (self.held.rfind(b"\r\n"), self.held.rfind(b"\n"), len(self.held) - 1):
            rest = self.held[at:].replace(b"\r", b"")
            if at >= 0 and (END_PREFIX.startswith(rest) or rest.startswith(END_PREFIX)):
                return at
        return len(self.held)

    def put(self, data: bytes) -> None:
        self.out.write(data.replace(b"\r\n", b"\n"))

    def flush(self) -> None:
        self.out.flush()


class Typing:
    """Feeds the terminal to the machine key by key while it lasts; no terminal, no input."""

    def __init__(self, machine):
        self.machine = machine
        self.saved = None

    def __enter__(self):
        if sys.stdin.isatty():
            self.saved = termios.tcgetattr(sys.stdin)
            raw = termios.tcgetattr(sys.stdin)
            # Keys go at once and the machine echoes them; Ctrl-C stays the way out.
            raw[3] &= ~(termios.ICANON | termios.ECHO)
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, raw)
            threading.Thread(target=self.feed, daemon=True).start()
        return self

    def feed(self) -> None:
        while data := os.read(sys.stdin.fileno(), 4096):
            self.machine.send(data)

    def __exit__(self, *_):
        if self.saved:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self.saved)
