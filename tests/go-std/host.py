"""The same tests, built for Linux, on the build host: what an ordinary machine passes."""

import json
import os
import subprocess

from packages import Package
import programs
import results


def outcome(package: Package) -> dict[str, str]:
    """Kept per Go release: the tests are Go's, not ours."""
    kept = programs.cache("linux", package.binary + ".json")
    if not kept.exists():
        program = programs.test_program(package, "linux")
        done = subprocess.run([program, "-test.v", "-test.short"], cwd=programs.root() / "src" / package.path,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=3600,
                              env={**os.environ, "CGO_ENABLED": "0"})
        kept.write_text(json.dumps(results.read(done.stdout), indent=1))
    return json.loads(kept.read_text())
