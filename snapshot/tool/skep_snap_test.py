#!/usr/bin/env python3
"""skep-snap as a user meets it: what it prints and how it exits."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SKEP_SNAP = sys.argv.pop(1)
GOLDEN = pathlib.Path(sys.argv.pop(1)) / "v1.skep"


def run(*arguments, **options):
    return subprocess.run([SKEP_SNAP, *arguments], capture_output=True, timeout=60, **options)


class SkepSnap(unittest.TestCase):
    def damaged(self, change):
        data = bytearray(GOLDEN.read_bytes())
        change(data)
        file = tempfile.NamedTemporaryFile()
        self.addCleanup(file.close)
        file.write(data)
        file.flush()
        return file.name

    def test_verify(self):
        result = run("verify", GOLDEN)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"fine", result.stdout)
        self.assertEqual(run("verify", "-", input=GOLDEN.read_bytes()).returncode, 0)

    def test_damage_is_named(self):
        def flip(data):
            data[len(data) // 2] ^= 1

        result = run("verify", self.damaged(flip))
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, rb"record \d+ \(\w+\) at offset \d+: damaged")
        self.assertEqual(run("info", self.damaged(flip)).returncode, 1)

    def test_other_files(self):
        self.assertEqual(run("verify", __file__).returncode, 1)
        self.assertEqual(run("verify", "/no/such/file").returncode, 4)
        self.assertEqual(run("verify").returncode, 2)
        self.assertEqual(run("info", "-o", "xml", GOLDEN).returncode, 2)
        self.assertEqual(run("--help").returncode, 0)

    def test_info(self):
        result = run("info", GOLDEN, "--state")
        self.assertEqual(result.returncode, 0, result.stderr)
        for text in (b"sample: 2 vCPUs, 2.0 MiB of RAM", b"sample/two version 1", b"kernel_gs_base: 0x"):
            self.assertIn(text, result.stdout)

    def test_info_json(self):
        info = json.loads(run("info", GOLDEN, "--state", "-o", "json").stdout)
        self.assertEqual(info["manifest"]["machine"]["vcpus"], 2)
        self.assertEqual(info["file_bytes"], GOLDEN.stat().st_size)
        self.assertEqual(len(info["vcpus"]), 2)
        self.assertEqual(info["devices"][1]["state"]["guest_time_ns"], "101")


unittest.main()
