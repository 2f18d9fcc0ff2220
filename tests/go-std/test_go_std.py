"""Go's own tests of its library, built for FreeBSD, in the control kernel as hv's root domain."""

import pytest

import exceptions
from comparison import compare
from devtool.paths import BUILD
from packages import PACKAGES

SHARE = 0.97  # of what passes on an ordinary host


@pytest.fixture(scope="module")
def seen():
    return {}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.path)
def test_package(rig, package, tmp_path, seen):
    found = compare(rig, package, tmp_path)
    seen[package.path] = found
    log = BUILD / "test" / "go-std" / f"{package.binary}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(found.output)
    print(found)
    assert found.counted, found.output
    assert not found.unexplained(), f"{found}\n{log}"


def test_share(seen):
    """After the packages: how many of all that count have passed."""
    if len(seen) < len(PACKAGES):
        pytest.skip("not every package was run")
    counted = sum(len(found.counted) for found in seen.values())
    passed = sum(len(found.counted & found.passed) for found in seen.values())
    for found in seen.values():
        print(found)
    print(f"{passed} of {counted}")
    assert passed >= SHARE * counted
