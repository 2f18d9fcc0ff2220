"""The kernel's network from outside the machine: virtio-net on QEMU, e1000 on Bochs, through the rig's forwards."""

import os
import socket
import struct
import threading
import time

import pytest

from devtool import appliance, builder
from devtool.appliance import Appliance
from rig.machine import Config, Forward

QUIT, ECHO, DISCARD, SOURCE = 1, 7, 9, 19
BOOT_SECONDS = 120
MIB = 1 << 20


@pytest.fixture(scope="module")
def machine(rig):
    appliance.prepare(rig)
    builder.ensure(["skep-net-test"])
    program = builder.programs()["skep-net-test"]
    image = Appliance(bare=True, extras=[str(program)], command=["/root/skep-net-test"]).image("net-test")
    forwards = [Forward(port) for port in (QUIT, ECHO, DISCARD, SOURCE)]
    with appliance.start(rig, Config(image, forwards=forwards, time_limit=600)) as running:
        running.wait_for(r"net: en0 .*: address 10\.0\.2\.15 .* by DHCP", BOOT_SECONDS)
        running.wait_for("^net: ready", BOOT_SECONDS)
        yield running
        connect(running, QUIT).close()
        running.wait_for(r"^skep-exec: exit 0", 20)


def connect(machine, port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", machine.ports[port]), timeout=60)


def echo(machine, data: bytes) -> bytes:
    return echo_on(connect(machine, ECHO), data)


def echo_on(connection: socket.socket, data: bytes) -> bytes:
    with connection as stream:
        sender = threading.Thread(target=lambda: (stream.sendall(data), stream.shutdown(socket.SHUT_WR)))
        sender.start()
        parts = []
        while part := stream.recv(65536):
            parts.append(part)
        sender.join()
        return b"".join(parts)


@pytest.fixture
def size(rig) -> int:
    return 16 * MIB if rig != "bochs" else 2 * MIB


def test_echoes(machine):
    assert echo(machine, b"hello") == b"hello"


def test_echoes_megabytes_unchanged(machine, size):
    data = os.urandom(size // 4)
    assert echo(machine, data) == data


def test_serves_many_at_once(machine):
    answers = {}
    streams = {}
    for number in range(40):
        # One after the other: the emulators' forwards have a backlog of one and lose what comes faster.
        streams[number] = connect(machine, ECHO)
        streams[number].sendall(b".")
        assert streams[number].recv(1) == b"."

    def one(number: int) -> None:
        answers[number] = echo_on(streams[number], b"%d " % number * 5000)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {n: b"%d " % n * 5000 for n in range(40)}


def test_survives_resets(machine):
    for _ in range(50):
        stream = connect(machine, SOURCE)
        stream.recv(1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.close()
    assert echo(machine, b"still there") == b"still there"


def test_takes_in_bulk(machine, size, record_property):
    with connect(machine, DISCARD) as stream:
        start = time.monotonic()
        stream.sendall(bytes(size))
        stream.shutdown(socket.SHUT_WR)
        assert stream.recv(1) == b""
        speed = size / (time.monotonic() - start) / 1e6
    record_property("MB/s in", round(speed, 1))
    print(f"in: {speed:.1f} MB/s")


def test_sends_in_bulk(machine, size, record_property):
    expected = bytes((i * 7 + i // 256) & 0xff for i in range(65536))
    with connect(machine, SOURCE) as stream:
        start = time.monotonic()
        got = bytearray()
        while len(got) < size:
            part = stream.recv(1 << 20)
            assert part
            got += part
        speed = size / (time.monotonic() - start) / 1e6
    # Only the beginning is known: a send() that took a part is followed by the pattern from its start.
    assert bytes(got[:4096]) == expected[:4096]
    record_property("MB/s out", round(speed, 1))
    print(f"out: {speed:.1f} MB/s")
