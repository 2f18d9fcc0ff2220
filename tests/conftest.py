"""Fixtures of everything that needs the tools: `rig`, and the images that tests boot."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tools"), str(HERE)]


def pytest_addoption(parser):
    parser.addoption("--rig", default="qemu", choices=["qemu", "bochs", "kvm"])


@pytest.fixture(scope="session")
def rig(request) -> str:
    return request.config.getoption("--rig")


@pytest.fixture(scope="session")
def appliance_image() -> Path:
    """The appliance as it is: hv, control kernel, services."""
    from devtool.appliance import Appliance

    return Appliance().image("appliance")
