"""Starts the page: `python app.py`, or `gradio app.py` for hot reload.

Every flag has an environment variable; README.md lists them. Limits: app/runtime/limits.py.
"""

from app.flags import parse_flags
from app.page.push import can_push
from app.page.theme import CSS, THEME
from app.runtime.space import model_source
from app.runtime.storage import use_private_folder
from app.ui import build_demo

options = parse_flags()
use_private_folder()
demo = build_demo(
    model_source(options.checkpoint, options.device, options.limits.max_minutes),
    limits=options.limits,
    pushing=can_push(options.push),
)

if __name__ == "__main__":
    demo.queue(max_size=options.limits.waiting).launch(
        theme=THEME,
        css=CSS,
        server_name=options.host,
        server_port=options.port,
        max_file_size=options.limits.max_file_size,
        mcp_server=options.mcp,
        run_history=False,
        footer_links=["api"],
    )
