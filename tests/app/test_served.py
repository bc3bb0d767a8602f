"""`python app.py` itself, as a Space and its programs meet it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import anyio
import httpx
import pytest
from gradio_client import Client, handle_file

from app.examples import EXAMPLES
from app.flags import require_package
from app.runtime import bundle

ROOT = Path(__file__).parents[2]
SPACE_B = 12 << 30
# Notes every address outside of this machine that somebody looks up or connects to.
WATCH = """
import os, socket

HERE = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "None", socket.gethostname()}
real_lookup, real_connect = socket.getaddrinfo, socket.socket.connect

def note(host):
    if str(host) not in HERE:
        with open(os.environ["WATCHED"], "a") as file:
            file.write(f"{host}\\n")

def getaddrinfo(host, *args, **options):
    note(host)
    return real_lookup(host, *args, **options)

def connect(self, address):
    note(address[0] if isinstance(address, tuple) else None)
    return real_connect(self, address)

socket.getaddrinfo, socket.socket.connect = getaddrinfo, connect
"""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Served:
    """app.py in a process of its own; `address` answers when the page does."""

    def __init__(self, folder: Path, python: str | Path = sys.executable, **environ: str) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        kept = {name: value for name, value in os.environ.items() if name != "GRADIO_TEMP_DIR"}
        self.process = subprocess.Popen(
            [python, "app.py", "--port", str(port), "--host", "127.0.0.1"],
            cwd=folder,
            env=kept | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.since = time.monotonic()

    def __enter__(self) -> "Served":
        while time.monotonic() - self.since < 120:
            try:
                if httpx.get(self.address).status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.05)
            if self.process.poll() is not None:
                break
        self.process.kill()
        raise AssertionError(f"the page never answered:\n{self.process.communicate()[0]}")

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.said = self.process.communicate(timeout=30)[0]


def analysed(address: str, clip: Path) -> dict:
    client = Client(address, verbose=False)
    return client.predict(handle_file(clip), api_name="/analyse")


@pytest.fixture
def watched(tmp_path):
    """Environment in which traffic to elsewhere is written to the file WATCHED."""
    home, asked = tmp_path / "watch", tmp_path / "watch" / "asked.txt"
    home.mkdir()
    (home / "sitecustomize.py").write_text(WATCH)
    environ = {"PYTHONPATH": str(home), "WATCHED": str(asked)}
    code = "import socket; socket.getaddrinfo('deeploc.invalid', 80)"
    subprocess.run([sys.executable, "-c", code], env=os.environ | environ, capture_output=True)
    assert asked.read_text() == "deeploc.invalid\n"
    asked.write_text("")
    return environ


@pytest.mark.slow
def test_nothing_leaves_the_host_and_nothing_stays_on_it(tmp_path, watched):
    (tmp_path / "temp").mkdir()
    environ = watched | {"TMPDIR": str(tmp_path / "temp"), "SPACE_ID": "me/deeploc"}
    with Served(ROOT, **environ) as page:
        report = analysed(page.address, EXAMPLES / "picture.mp4")
        assert report["model"]["name"] == "deeploc-base"
        files = [path for path in (tmp_path / "temp").rglob("*.mp4")]
        assert [path.name for path in files] == ["picture.mp4"] * len(files) and files
        config = httpx.get(f"{page.address}/config").json()
        assert config["max_file_size"] == 200 * 1024**2
        assert not config["analytics_enabled"] and not config.get("run_history")
    assert Path(watched["WATCHED"]).read_text() == ""
    assert not list((tmp_path / "temp").rglob("*.mp4"))


@pytest.mark.slow
def test_the_page_answers_before_the_model_is_there(tmp_path):
    """Where a checkpoint is not to be had, the embedded one stands in."""
    with Served(ROOT, DEEPLOC_MODEL=str(tmp_path / "none")) as page:
        assert httpx.get(page.address).status_code == 200
        report = analysed(page.address, EXAMPLES / "sound.mp4")
    assert report["model"]["revision"] == "embedded"
    assert "There is no checkpoint folder" in page.said
    assert "Traceback" not in page.said


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_assembled_space_starts_from_nothing_and_analyses(tmp_path):
    """`make space`, in an environment of its own: it installs several GB."""
    if shutil.disk_usage(tmp_path).free < SPACE_B:
        pytest.skip("the environment of a Space needs 12 GB here")
    folder = tmp_path / "space"
    bundle.assemble(folder)
    python = bundle.install(folder)
    with Served(folder, python, SPACE_ID="me/deeploc", PYTHONPATH="") as page:
        report = analysed(page.address, EXAMPLES / "picture.mp4")
    assert report["band"] == "some"
    assert "Traceback" not in page.said
    listed = [python, "-m", "pip", "list"]
    installed = subprocess.run(listed, capture_output=True, text=True, check=True).stdout
    assert "pytest" not in installed and "playwright" not in installed


@pytest.mark.slow
def test_zero_gpu_lends_a_gpu_for_the_clip(tmp_path):
    """With a `spaces` of our own, which works in another process as the real one does."""
    (tmp_path / "spaces.py").write_text("from tests.app.fake_spaces import GPU\n")
    environ = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "SPACES_ZERO_GPU": "true"}
    with Served(ROOT, SPACE_ID="me/deeploc", DEEPLOC_DEVICE="cpu", **environ) as page:
        report = analysed(page.address, EXAMPLES / "picture.mp4")
    assert report["band"] == "some"
    assert report["warnings"] == []
    assert "no GPU was lent" not in page.said


@pytest.mark.slow
def test_programs_talk_to_it_over_mcp(tmp_path):
    mcp = pytest.importorskip("mcp", reason="needs requirements-mcp.txt")
    transport = pytest.importorskip("mcp.client.streamable_http")

    async def ask(address: str):
        async with (
            transport.streamablehttp_client(f"{address}/gradio_api/mcp/") as (read, write, _),
            mcp.ClientSession(read, write) as session,
        ):
            await session.initialize()
            return (await session.list_tools()).tools

    with Served(ROOT, DEEPLOC_MODEL=str(tmp_path / "none"), DEEPLOC_MCP="1") as page:
        tools = {tool.name.rpartition("_")[2]: tool for tool in anyio.run(ask, page.address)}
    assert set(tools) == {"analyse", "compare", "formats"}
    assert "JSON schema 2" in tools["analyse"].description
    face = tools["analyse"].inputSchema["properties"]["face"]
    assert face["description"].startswith("Number of the face to score")


def test_mcp_without_its_packages_is_a_sentence(monkeypatch):
    monkeypatch.setattr("app.flags.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"requirements-mcp\.txt"):
        require_package(True, "mcp", "requirements-mcp.txt")
    require_package(False, "mcp", "requirements-mcp.txt")
