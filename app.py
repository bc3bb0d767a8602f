"""Starts the page: `python app.py`, or `gradio app.py` for hot reload.

Every flag has an environment variable; README.md lists them, and the limits in app/space.py.
"""

import argparse
import os

from app.api import needing
from app.private import private_folder
from app.push import can_push
from app.space import limits, placed
from app.theme import CSS, THEME
from app.ui import build_demo
from deeploc import DeepLocError

parser = argparse.ArgumentParser(prog="app.py", description="The DeepLoc page.")
parser.add_argument("--checkpoint", default=None, help="folder or Hub repository")
parser.add_argument("--device", default=os.environ.get("DEEPLOC_DEVICE", "auto"))
parser.add_argument("--host", default=os.environ.get("DEEPLOC_HOST"))
parser.add_argument("--port", type=int, default=os.environ.get("DEEPLOC_PORT"))
parser.add_argument("--mcp", action="store_true", default=os.environ.get("DEEPLOC_MCP") == "1")
parser.add_argument("--push", action="store_true", default=os.environ.get("DEEPLOC_PUSH") == "1")
options, _ = parser.parse_known_args()
try:
    limit = limits()
except DeepLocError as error:
    parser.error(str(error))
private_folder()
demo = build_demo(
    placed(options.checkpoint, options.device),
    at_once=limit.at_once,
    pushing=can_push(options.push),
)

if __name__ == "__main__":
    demo.queue(max_size=limit.waiting).launch(
        theme=THEME,
        css=CSS,
        server_name=options.host,
        server_port=options.port,
        max_file_size=limit.max_file_size,
        mcp_server=needing(options.mcp, "mcp", "requirements-mcp.txt"),
        run_history=False,
        footer_links=["api"],
    )
