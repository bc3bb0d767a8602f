"""The viewer's own tests: pure JavaScript, run by node."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_modules_of_the_viewer():
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        pytest.skip("there is no node to run the viewer's tests")
    files = sorted(str(path) for path in (ROOT / "tests" / "viewer").glob("*.test.js"))
    assert files
    run = subprocess.run([node, "--test", *files], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
