"""Fixtures of everything that needs the tools: `rig`, and the images that tests boot."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))


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
