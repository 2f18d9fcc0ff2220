"""Installs what development needs: distribution packages (tools/packages.txt) and the fast Bochs."""

from devtool import bochs, packages


def arguments(parser) -> None:
    parser.add_argument("--no-bochs", action="store_true", help="do not build the fast Bochs")


def run(options) -> None:
    packages.need(*packages.sections())
    if not options.no_bochs:
        bochs.ensure()
