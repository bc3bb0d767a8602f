"""Starts the page: `python app.py`, or `gradio app.py` for hot reload.

Each flag has an environment variable: DEEPLOC_MODEL, DEEPLOC_DEVICE, DEEPLOC_HOST, DEEPLOC_PORT.
"""

import argparse
import os

from app.theme import CSS, THEME
from app.ui import build_demo
from app.unavailable import Unavailable
from deeploc import DeepLocError, load_localizer

parser = argparse.ArgumentParser(prog="app.py", description="The DeepLoc page.")
parser.add_argument("--checkpoint", default=None, help="folder or Hub repository")
parser.add_argument("--device", default=os.environ.get("DEEPLOC_DEVICE", "auto"))
parser.add_argument("--host", default=os.environ.get("DEEPLOC_HOST"))
parser.add_argument("--port", type=int, default=os.environ.get("DEEPLOC_PORT"))
options, _ = parser.parse_known_args()

try:
    localizer = load_localizer(options.checkpoint, device=options.device)
except DeepLocError as error:
    print(f"deeploc: {error}")
    localizer = Unavailable(str(error))
demo = build_demo(localizer)

if __name__ == "__main__":
    demo.queue(max_size=16).launch(
        theme=THEME,
        css=CSS,
        server_name=options.host,
        server_port=options.port,
        max_file_size=os.environ.get("DEEPLOC_MAX_FILE_SIZE", "500mb"),
        run_history=False,
        footer_links=["api"],
    )
