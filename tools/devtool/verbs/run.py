"""Boots the appliance and leaves it running, with its API on a port of 127.0.0.1.

With --demo: boots it, runs a Debian guest through the `skep` command, saves it, boots a second, empty appliance,
restores the guest there, and ends with a verdict and an exit status.
"""

import os
import sys

from demo import flow
from demo.counts import CountError
from demo.host import API_PORT, READY, CommandError, FINGERPRINT, TOKEN
from devtool import appliance, builder
from devtool.paths import BUILD
from devtool.ui import Failure, Stopwatch, say
from rig.line import LineError
from rig.machine import Forward, RigError

BOOT_SECONDS = {"bochs": 600, "qemu": 150, "kvm": 60}


def arguments(parser) -> None:
    appliance.rig_arguments(parser)
    parser.add_argument("--demo", action="store_true", help="move a saved guest from one appliance to another")
    parser.add_argument("--port", type=int, default=0, help="host port of the API; default any free one")
    parser.add_argument("--add", action="append", default=[], metavar="PATH[:DEST]",
                        help="a file or folder for the appliance's root, as in `tools/dev exec`")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the serial line from the start")


def run(options) -> int:
    rig = appliance.prepare(options.rig)
    image = appliance.Appliance(extras=options.add).image("appliance")
    return demo(rig, image, options) if options.demo else serve(rig, image, options)


def serve(rig: str, image, options) -> int:
    config = appliance.config_of(options, image, forwards=[Forward(API_PORT, options.port)],
                                 serial_log=BUILD / "run" / "serial.log",
                                 live=sys.stdout.buffer if options.verbose else None)
    watch = Stopwatch()
    try:
        with appliance.start(rig, config) as machine:
            fingerprint = machine.wait_for(FINGERPRINT, BOOT_SECONDS[rig])[1].decode()
            token = machine.wait_for(TOKEN, 60)[1].decode()
            machine.wait_for(READY, 60)
            say(f"the appliance runs on {rig}; its API answers after {watch}")
            program = os.path.relpath(builder.programs()["skep"])
            say(f"  connect:     {program} login 127.0.0.1:{machine.ports[API_PORT]} "
                f"--fingerprint {fingerprint} --token {token}")
            say(f"  serial line: {machine.serial_log}")
            say("  end it:      Ctrl-C")
            machine.wait_exit()
            say("the appliance powered off")
    except RigError as error:
        raise Failure(str(error)) from error
    except KeyboardInterrupt:
        say("ended")
    return 0


def demo(rig: str, image, options) -> int:
    folder = BUILD / "demo" / rig
    watch = Stopwatch()
    say(f"rig: {rig}; logs and the exported snapshot: {folder}")
    try:
        flow.demonstrate(rig, image, folder, print_now, cpus=options.cpus, memory_mib=options.memory,
                         uefi=options.uefi)
    except (CommandError, CountError, Failure, LineError, RigError) as error:
        say(str(error))
        print_now(f"demo on {rig}: FAILED after {watch}")
        return 1
    print_now(f"demo on {rig}: PASSED in {watch}")
    return 0


def print_now(text: str) -> None:
    print(text, flush=True)
