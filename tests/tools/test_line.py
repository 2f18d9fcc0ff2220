"""Waiting on a serial line."""

import os

import pytest

from rig.line import Line, LineError


@pytest.fixture
def pipe():
    read, write = os.pipe()
    yield Line(read, "the line"), write
    try:
        os.close(write)
    except OSError:
        pass


def test_matches_come_one_after_the_other(pipe):
    line, write = pipe
    os.write(write, b"a 1\na 2\n")
    assert line.wait_for(r"a (\d)", 5)[1] == b"1"
    assert line.wait_for(r"a (\d)", 5)[1] == b"2"
    with pytest.raises(LineError, match="within"):
        line.wait_for(r"a (\d)", 0.1)


def test_a_match_may_come_in_pieces(pipe):
    line, write = pipe
    for part in (b"x\ncou", b"nt ", b"17 o", b"k\n"):
        os.write(write, part)
    assert line.wait_for(r"^count (\d+) ok", 5)[1] == b"17"


def test_the_end_of_the_line_ends_the_wait(pipe):
    line, write = pipe
    os.write(write, b"the last words\n")
    os.close(write)
    with pytest.raises(LineError, match="the last words"):
        line.wait_for("never", 5)
