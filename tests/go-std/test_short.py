"""A few of the packages in one appliance: the part of the suite `go-std` that every run of the tests has."""

import pytest

import exceptions
import guest
import host
import results
from packages import PACKAGES, SHORT


@pytest.fixture(scope="module")
def outputs(rig, tmp_path_factory):
    chosen = [package for package in PACKAGES if package.path in SHORT]
    return guest.run_together(rig, chosen, tmp_path_factory.mktemp("go-std"))


@pytest.mark.parametrize("path", SHORT)
def test_package(outputs, path):
    package = next(package for package in PACKAGES if package.path == path)
    ordinary = results.passed(host.outcome(package))
    missed = ordinary - results.passed(results.read(outputs[path]))
    assert ordinary and missed <= set(exceptions.of(path)), outputs[path][-8000:]


def test_exceptions_name_packages():
    assert {one.package for one in exceptions.load()} <= {package.path for package in PACKAGES}
    assert all(one.reason for one in exceptions.load())
