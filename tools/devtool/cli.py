"""Finds the verb, runs it, and turns a Failure into a message and an exit status."""

import argparse
import importlib
import signal
import sys

from devtool.ui import Failure, complain

VERBS = {
    "setup": "install what development needs: packages, the fast Bochs",
    "build": "build everything",
    "run": "boot the appliance and leave it running; --demo moves a saved guest between two",
    "test": "run the tests; ends with the line `N passed, N failed`",
    "bench": "measure; prints a table and writes build/bench/NAME.json",
    "fmt": "format the sources",
    "check": "check format, names, sizes and protobuf rules",
    "exec": "boot the appliance, run one command in it, exit with its status",
}


def parser_of(verb: str):
    module = importlib.import_module(f"devtool.verbs.{verb}")
    parser = argparse.ArgumentParser(
        prog=f"tools/dev {verb}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.arguments(parser)
    return module, parser


def usage() -> str:
    lines = ["usage: tools/dev VERB [ARGUMENT]...", ""]
    lines += [f"  {verb:6}  {text}" for verb, text in VERBS.items()]
    return "\n".join(lines + ["", "tools/dev VERB --help says more."])


def end_on_signals() -> None:
    """A terminated tool must still run its finally blocks: emulators end with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))


def main(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if argv else 2
    verb, *rest = argv
    if verb not in VERBS:
        complain(f"no verb {verb!r}", f"one of: {' '.join(VERBS)}")
        return 2
    end_on_signals()
    try:
        module, parser = parser_of(verb)
        return module.run(parser.parse_args(rest)) or 0
    except Failure as failure:
        complain(failure.message, failure.hint)
        return failure.status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
