"""skepd and skep end to end on the build host: e2e_test.py SKEPD SKEP GOLDEN_SNAPSHOT [unittest arguments]."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

SKEPD, SKEP, GOLDEN = (Path(path).resolve() for path in sys.argv[1:4])
PATIENCE = 60


class Daemon:
    """A skepd with its state in a folder; what it says at its start."""

    def __init__(self, folder: Path, *options: str):
        self.log = folder / "skepd.log"
        with self.log.open("ab") as log:
            self.start = log.tell()
            self.process = subprocess.Popen([SKEPD, "--state-dir", folder / "state", "--listen", "127.0.0.1:0", *options],
                                            stdout=log, stderr=subprocess.STDOUT)
        self.wait_for(r"skepd: API ready")
        self.address = self.said(r"skepd: listening on (127\.0\.0\.1:\d+)\n")
        self.fingerprint = self.said(r"skepd: certificate SHA-256 fingerprint: ([0-9A-F:]{95})\n")
        self.token = self.said(r"skepd: one-time token: ((?:[2-9A-Z]{5}-){3}[2-9A-Z]{5})\n")

    def text(self) -> str:
        return self.log.read_bytes()[self.start:].decode()

    def said(self, pattern: str):
        found = re.search(pattern, self.text())
        return found and found[1]

    def wait_for(self, pattern: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.text()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"skepd did not say {pattern}:\n{self.text()}")
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


class EndToEnd(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="skep-e2e-")
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.state = self.folder / "state"
        self.environment = {**os.environ, "XDG_CONFIG_HOME": str(self.folder / "config")}
        self.daemon = Daemon(self.folder)
        self.addCleanup(lambda: self.daemon.process.poll() is None and self.daemon.stop(signal.SIGKILL))

    def restart(self, *options: str, number: int = signal.SIGTERM) -> None:
        self.daemon.stop(number)
        port = self.daemon.address
        self.daemon = Daemon(self.folder, *options, "--listen", port)

    def run_skep(self, *words, **options) -> subprocess.CompletedProcess:
        return subprocess.run([SKEP, *map(str, words)], env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE, **options)

    def skep(self, *words) -> str:
        done = self.run_skep(*words)
        self.assertEqual(done.returncode, 0, f"skep {words}: {done.stderr}")
        return done.stdout

    def json(self, *words):
        return json.loads(self.skep("-o", "json", *words))

    def refused(self, status: int, code: str, text: str, *words) -> str:
        done = self.run_skep(*words)
        self.assertEqual(done.returncode, status, f"skep {words}: {done.stdout}{done.stderr}")
        self.assertIn(f"skep: {code}: ", done.stderr)
        self.assertIn(text, done.stderr)
        return done.stderr

    def login(self) -> None:
        self.skep("login", self.daemon.address, "--fingerprint", self.daemon.fingerprint, "--token", self.daemon.token)

    def file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def files_of_state(self) -> list[str]:
        return sorted(str(path.relative_to(self.state)) for path in self.state.rglob("*")
                      if path.is_file() and path.parent != self.state and path.parent.name != "tls")

    def test_login(self):
        address, fingerprint, token = self.daemon.address, self.daemon.fingerprint, self.daemon.token
        self.refused(3, "UNAUTHENTICATED", "skep login", "vm", "list")
        self.refused(3, "UNAUTHENTICATED", "one-time token", "login", address, "--fingerprint", fingerprint,
                     "--token", "AAAAA-AAAAA-AAAAA-AAAAA")
        self.refused(3, "UNAUTHENTICATED", fingerprint, "login", address, "--fingerprint", ":".join(["00"] * 32),
                     "--token", token)
        self.login()
        self.refused(3, "UNAUTHENTICATED", "used already", "login", address, "--fingerprint", fingerprint,
                     "--token", token)
        config = self.folder / "config/skep/config.json"
        self.assertEqual(stat.S_IMODE(config.stat().st_mode), 0o600)
        self.assertEqual(self.json("vm", "list")["vms"], [])
        # A credential that was made up.
        known = json.loads(config.read_text())
        known["servers"][0]["secret"] = "0" * 64
        config.write_text(json.dumps(known))
        self.refused(3, "UNAUTHENTICATED", "does not know", "vm", "list")

    def test_login_survives_a_restart(self):
        self.login()
        fingerprint = self.daemon.fingerprint
        self.restart()
        self.assertEqual(self.daemon.fingerprint, fingerprint)
        self.assertIsNone(self.daemon.token)
        self.assertEqual(self.json("vm", "list")["vms"], [])
        self.restart("--new-token")
        self.assertIsNotNone(self.daemon.token)
        self.login()

    def test_another_server_at_the_address_is_refused(self):
        self.login()
        self.daemon.stop()
        self.refused(4, "UNAVAILABLE", "", "vm", "list")
        for old in (self.state / "tls").iterdir():
            old.unlink()
        self.daemon = Daemon(self.folder, "--listen", self.daemon.address)
        self.refused(4, "UNAVAILABLE", "", "vm", "list")

    def test_images(self):
        self.login()
        content = os.urandom(1_500_001)
        path = self.file("image", content)
        self.skep("image", "upload", "kernel", path)
        self.skep("image", "upload", "empty", self.file("empty", b""))
        listed = {image["name"]: image for image in self.json("image", "list")["images"]}
        self.assertEqual(sorted(listed), ["images/empty", "images/kernel"])
        self.assertEqual(int(listed["images/kernel"]["sizeBytes"]), len(content))
        self.assertEqual((self.state / "images/kernel").read_bytes(), content)
        self.refused(1, "ALREADY_EXISTS", "images/kernel", "image", "upload", "kernel", path)
        self.refused(1, "INVALID_ARGUMENT", "../x", "image", "upload", "../x", path)
        self.refused(1, "FAILED_PRECONDITION", "missing-file", "image", "upload", "b", self.folder / "missing-file")
        self.refused(1, "ABORTED", "etag", "image", "delete", "empty", "--etag", "other")
        self.skep("image", "delete", "empty", "--etag", listed["images/empty"]["etag"])
        self.refused(3, "NOT_FOUND", "images/empty", "image", "get", "empty")
        self.assertEqual(self.files_of_state(), ["images/kernel"])

    def test_vms(self):
        self.login()
        self.skep("image", "upload", "kernel", self.file("kernel", os.urandom(70_000)))
        vm = self.json("vm", "create", "one", "--kernel", "kernel", "--memory", "64M", "--cpus", "2", "--append",
                       "console=ttyS0", "--disk", "data=8M", "--disk", "root=image:kernel,size=1M")
        self.assertEqual(vm["state"], "VM_STATE_STOPPED")
        self.assertEqual(vm["spec"]["memoryBytes"], str(64 << 20))
        self.assertEqual((self.state / "vms/one/data").stat().st_size, 8 << 20)
        root = (self.state / "vms/one/root").read_bytes()
        self.assertEqual(root[:70_000], (self.state / "images/kernel").read_bytes())
        self.assertEqual(len(root), 1 << 20)
        self.assertEqual(root[70_000:], bytes((1 << 20) - 70_000))
        self.refused(1, "ALREADY_EXISTS", "vms/one", "vm", "create", "one", "--kernel", "kernel")
        self.refused(1, "FAILED_PRECONDITION", "images/nothing", "vm", "create", "two", "--kernel", "nothing")
        self.refused(1, "INVALID_ARGUMENT", "memory_bytes", "vm", "create", "two", "--kernel", "kernel", "--memory", "3M")
        self.refused(1, "INVALID_ARGUMENT", "--disk", "vm", "create", "two", "--kernel", "kernel", "--disk", "x")
        self.refused(1, "FAILED_PRECONDITION", "vms/one boots from images/kernel", "image", "delete", "kernel")
        self.assertEqual([vm["name"] for vm in self.json("vm", "list")["vms"]], ["vms/one"])
        operation = self.json("operation", "list")["operations"][0]
        self.assertTrue(operation["done"])
        self.assertEqual(operation["response"]["name"], "vms/one")
        self.skep("vm", "delete", "one")
        self.refused(3, "NOT_FOUND", "vms/one", "vm", "delete", "one")
        self.assertEqual(self.files_of_state(), ["images/kernel"])

    def test_guests_need_a_hypervisor(self):
        self.login()
        self.skep("image", "upload", "kernel", self.file("kernel", b"kernel"))
        self.skep("vm", "create", "one", "--kernel", "kernel")
        self.refused(1, "FAILED_PRECONDITION", "/dev/vmmctl", "vm", "start", "one")
        self.refused(1, "FAILED_PRECONDITION", "stopped", "vm", "console", "one")
        self.refused(1, "FAILED_PRECONDITION", "stopped", "vm", "stop", "one")
        self.refused(1, "FAILED_PRECONDITION", "stopped", "snapshot", "save", "one", "s")
        self.assertEqual(self.json("vm", "get", "one")["state"], "VM_STATE_STOPPED")
        self.skep("snapshot", "import", "golden", GOLDEN)
        self.refused(1, "FAILED_PRECONDITION", "/dev/vmmctl", "snapshot", "restore", "golden", "two")
        self.refused(3, "NOT_FOUND", "vms/two", "vm", "get", "two")
        self.assertNotIn("hypervisor", self.json("host", "get"))

    def test_snapshots(self):
        self.login()
        snapshot = self.json("snapshot", "import", "golden", GOLDEN)
        self.assertTrue(snapshot["imported"])
        self.assertEqual(int(snapshot["sizeBytes"]), GOLDEN.stat().st_size)
        out = self.folder / "out.skep"
        self.skep("snapshot", "export", "golden", out)
        self.assertEqual(out.read_bytes(), GOLDEN.read_bytes())
        self.refused(1, "ALREADY_EXISTS", str(out), "snapshot", "export", "golden", out)
        self.refused(1, "ALREADY_EXISTS", "snapshots/golden", "snapshot", "import", "golden", GOLDEN)
        self.refused(3, "NOT_FOUND", "snapshots/none", "snapshot", "export", "none", self.folder / "none.skep")
        self.assertFalse((self.folder / "none.skep").exists())
        self.skep("snapshot", "delete", "golden")
        self.assertEqual(self.files_of_state(), [])

    def test_damaged_snapshots_are_refused(self):
        self.login()
        whole = GOLDEN.read_bytes()
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 1
        for content, code, text in [(bytes(flipped), "DATA_LOSS", "offset"), (whole[:-1], "DATA_LOSS", "offset"),
                                    (whole[:5], "DATA_LOSS", "snapshots/bad"), (b"", "", "snapshots/bad"),
                                    (b"x" * 5000, "INVALID_ARGUMENT", "not a snapshot")]:
            said = self.run_skep("snapshot", "import", "bad", self.file("bad.skep", content))
            self.assertEqual(said.returncode, 1, said.stderr)
            self.assertIn(f"skep: {code}", said.stderr)
            self.assertIn(text, said.stderr)
        self.assertEqual(self.json("snapshot", "list")["snapshots"], [])
        self.assertEqual(self.files_of_state(), [])

    def test_a_client_that_goes_away_leaves_nothing(self):
        self.login()
        for noun, verb in (("image", "upload"), ("snapshot", "import")):
            big = self.folder / f"{noun}.big"
            with big.open("wb") as out:
                out.truncate(4 << 30)
            client = subprocess.Popen([SKEP, noun, verb, "big", big], env=self.environment, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.wait_until(lambda: any(name.endswith(".partial") for name in self.files_of_state()))
            client.kill()
            client.wait()
            self.wait_until(lambda: self.files_of_state() == [])
            self.assertEqual(self.json(noun, "list")[f"{noun}s"], [])
            # The id is free again.
            source = GOLDEN if noun == "snapshot" else self.file("small", b"small")
            self.skep(noun, verb, "big", source)
            self.skep(noun, "delete", "big")

    def test_a_client_that_goes_away_during_an_export(self):
        self.login()
        self.skep("snapshot", "import", "golden", GOLDEN)
        out = self.folder / "out"
        out.mkdir()
        # At random moments: before, during and after the stream.
        for turn in range(20):
            client = subprocess.Popen([SKEP, "snapshot", "export", "golden", out / "file", "--overwrite"],
                                      env=self.environment, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.002 * turn)
            client.terminate()
            client.wait(PATIENCE)
            self.assertIn([path.name for path in out.iterdir()], ([], ["file"]))
        self.skep("snapshot", "export", "golden", out / "again")
        self.assertEqual((out / "again").read_bytes(), GOLDEN.read_bytes())

    def test_a_killed_skepd_tidies_up(self):
        self.login()
        self.skep("image", "upload", "kernel", self.file("kernel", b"kernel"))
        big = self.folder / "big"
        with big.open("wb") as out:
            out.truncate(4 << 30)
        client = subprocess.Popen([SKEP, "image", "upload", "big", big], env=self.environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.wait_until(lambda: any(name.endswith(".partial") for name in self.files_of_state()))
        self.restart(number=signal.SIGKILL)
        self.assertEqual(client.wait(PATIENCE), 4, client.stderr.read())
        client.stderr.close()
        self.assertEqual(self.files_of_state(), ["images/kernel"])
        self.assertEqual([image["name"] for image in self.json("image", "list")["images"]], ["images/kernel"])

    def test_nonsense_on_the_port_disturbs_nobody(self):
        self.login()
        host, port = self.daemon.address.split(":")
        for words in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b""):
            with socket.create_connection((host, int(port)), PATIENCE) as connection:
                connection.sendall(words)
        self.assertEqual(self.json("vm", "list")["vms"], [])

    def test_usage(self):
        for words in ([], ["vm"], ["vm", "create"], ["vm", "list", "--nonsense"], ["vm", "list", "-o", "xml"]):
            self.assertEqual(self.run_skep(*words).returncode, 2, words)
        self.assertIn("unknown command or argument: strat", self.run_skep("vm", "strat", "x").stderr)
        self.assertIn("snapshot", self.skep("--help"))
        self.refused(4, "UNAVAILABLE", "127.0.0.1:1", "login", "127.0.0.1:1", "--fingerprint", "00", "--token", "x")

    def wait_until(self, condition) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline, self.files_of_state())
            time.sleep(0.01)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
