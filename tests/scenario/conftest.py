"""One appliance for all tests of a session that do not end it, with the guest's images uploaded."""

import itertools

import pytest

from demo import flow, guest
from demo.host import CommandError, Host
from devtool.paths import BUILD

numbers = itertools.count(1)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What the appliance said goes with the report of a test that failed."""
    report = (yield).get_result()
    if report.failed:
        for value in item.funcargs.values():
            if isinstance(value, Host) and value.machine:
                report.sections.append(("the appliance's serial line, its end", value.machine.text()[-6000:]))


@pytest.fixture(scope="session")
def made() -> guest.Guest:
    return guest.make()


@pytest.fixture(scope="session")
def host(rig, appliance_image, made) -> Host:
    with Host(rig, appliance_image, BUILD / "scenario" / rig, "shared") as booted:
        booted.login()
        flow.upload(booted, made)
        yield booted


@pytest.fixture
def fresh(request):
    """Names that no test of the session had before."""
    stem = request.node.name.split("[")[0].removeprefix("test_").replace("_", "-")[:40].strip("-")
    return lambda: f"{stem}-{next(numbers)}"


@pytest.fixture
def vm(host, made, fresh):
    """A guest that was created and not started; gone afterwards."""
    name = fresh()
    flow.create(host, name, made)
    yield name
    delete(host, name)


def delete(host: Host, name: str) -> None:
    try:
        host.skep("vm", "delete", name, "--force")
    except CommandError as error:
        if error.status != 3:  # no such resource
            raise
