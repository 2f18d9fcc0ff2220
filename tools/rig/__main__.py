"""Boots an image on a rig: `PYTHONPATH=tools python3 -m rig --rig qemu IMAGE.iso`.

The serial line goes to stdout and to --serial-log, standard input to the serial line. Ends when the machine powers
off (status 0), at the time limit or at Ctrl-C (status 3).
"""

import argparse
import sys
import threading
from pathlib import Path

from rig import rigs
from rig.machine import Config, Forward, RigError


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="rig", description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("--rig", choices=rigs.RIGS, default=rigs.default())
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--memory", type=int, default=1024, metavar="MIB")
    parser.add_argument("--disk", type=Path, action="append", default=[])
    parser.add_argument("--forward", action="append", default=[], metavar="HOST:GUEST")
    parser.add_argument("--time-limit", type=float, metavar="SECONDS")
    parser.add_argument("--serial-log", type=Path)
    parser.add_argument("--uefi", action="store_true")
    parser.add_argument("--seed", type=int, help="Bochs: repeat exactly, without pacing by the host's clock")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    forwards = [Forward(int(guest), int(host)) for host, _, guest in
                (word.partition(":") for word in options.forward)]
    config = Config(image=options.image.resolve(), cpus=options.cpus, memory_mib=options.memory,
                    disks=[disk.resolve() for disk in options.disk], forwards=forwards,
                    time_limit=options.time_limit, serial_log=options.serial_log, uefi=options.uefi,
                    seed=options.seed, live=sys.stdout.buffer)
    try:
        with rigs.start(options.rig, config) as machine:
            threading.Thread(target=feed, args=(machine,), daemon=True).start()
            machine.wait_exit()
    except RigError as error:
        print(f"rig: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 3
    return 0


def feed(machine) -> None:
    while data := sys.stdin.buffer.raw.read(4096):
        machine.send(data)


if __name__ == "__main__":
    sys.exit(main())
