"""`tools/dev exec` passes on what the command printed, and nothing else."""

import importlib
import io

import pytest

Framed = importlib.import_module("devtool.verbs.exec").Framed
SERIAL = (b"kernel: boots\r\nskep-exec: start\r\nhello\r\nskep-exec: x\r\nlast\r\n"
          b"skep-exec: exit 3\r\nkernel: powers off\r\n")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 17, 18, 1000])
def test_output_between_the_frames(size):
    out = io.BytesIO()
    framed = Framed(out)
    for start in range(0, len(SERIAL), size):
        framed.write(SERIAL[start:start + size])
    assert out.getvalue() == b"hello\nskep-exec: x\nlast"
