"""Signed-in visitors keep what they see in a dataset of their own on the Hugging Face Hub.

Off unless DEEPLOC_PUSH is 1. The clip itself is never sent.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

import gradio as gr
import httpx2
from gradio.utils import get_space
from huggingface_hub import CommitOperationAdd, HfApi, whoami
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

from app.annotation_files import file_name
from app.page.panels import notice_panel
from app.runtime.results import Result
from app.wording import (
    BROKEN,
    PUSH_AWAY,
    PUSH_BUTTON,
    PUSH_DATASET,
    PUSH_HELP,
    PUSH_LABEL,
    PUSH_NAME,
    PUSH_NOTHING,
    PUSH_REFUSED,
    PUSH_SIGN_IN,
    PUSHED,
)
from deeploc.annotations.formats.deeploc_json import parse_annotation
from deeploc.errors import DeepLocError
from deeploc.report_files import report_to_dict

logger = logging.getLogger(__name__)

DATASET = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
# The annotation is in the browser; the report is in the visitor's session.
ON_PUSH = """(dataset) => {
    const viewer = document.querySelector("#dl-viewer .dl-viewer");
    return [dataset, JSON.stringify(viewer?.annotation?.() ?? null), null];
}"""


def can_push(wanted: bool) -> bool:
    """Whether visitors may push. Ends the program with a sentence where nobody could sign in."""
    if not wanted:
        return False
    if get_space() and "OAUTH_CLIENT_ID" not in os.environ:
        sys.exit("app.py: to push, set hf_oauth: true in the front matter of the Space's README.")
    try:
        if not get_space():
            whoami()
    except (HfHubHTTPError, httpx2.HTTPError, LocalTokenNotFoundError):
        sys.exit("app.py: to push, sign in first, where the Hub can be reached: hf auth login")
    return True


def push(dataset: str, annotation: Any, result: Result, token: str | None) -> str:
    """Writes annotation and report into the dataset, made as a private one where there is none.

    Returns the address of the commit. Raises `DeepLocError` with a sentence.
    """
    if not DATASET.fullmatch(dataset):
        raise DeepLocError(PUSH_NAME)
    report = result.report
    stem = f"{Path(file_name(report.media.name)).stem}-{report.media.sha256[:8]}".rstrip("-")
    files: dict[str, dict] = {}
    if report.scores:
        files[f"reports/{stem}.deeploc.json"] = report_to_dict(report)
    if annotation and annotation.get("segments"):
        files[f"annotations/{stem}.annotation.json"] = parse_annotation(annotation).to_dict()
    if not files:
        raise DeepLocError(PUSH_NOTHING)
    api = HfApi(token=token)
    added = [
        CommitOperationAdd(name, json.dumps(content, indent=1).encode())
        for name, content in files.items()
    ]
    try:
        api.create_repo(dataset, repo_type="dataset", private=True, exist_ok=True)
        message = f"Add {stem} with DeepLoc"
        commit = api.create_commit(dataset, added, commit_message=message, repo_type="dataset")
    except HfHubHTTPError as error:
        raise DeepLocError(PUSH_REFUSED.format(dataset=dataset)) from error
    except (httpx2.HTTPError, OSError) as error:
        raise DeepLocError(PUSH_AWAY) from error
    return commit.commit_url


def push_note(
    dataset: str, annotation: str, result: Result | None, token: gr.OAuthToken | None
) -> str:
    """The page's answer to the button. Gradio gives the token of the visitor who is signed in."""
    try:
        if token is None:
            raise DeepLocError(PUSH_SIGN_IN)
        if result is None:
            raise DeepLocError(PUSH_NOTHING)
        own = token.token if get_space() else None  # outside a Space the page's own token writes
        address = push((dataset or "").strip(), json.loads(annotation or "null"), result, own)
    except DeepLocError as error:
        return notice_panel(str(error))
    except Exception:
        logger.exception("an annotation could not be pushed")
        return notice_panel(BROKEN)
    return notice_panel(PUSHED.format(address=address))


def add_push(result: gr.State) -> None:
    """The controls below the viewer."""
    with gr.Accordion(PUSH_LABEL, open=False, elem_id="dl-push"):
        gr.HTML(f"<p>{PUSH_HELP}</p>", elem_classes="dl-quiet")
        dataset = gr.Textbox(label=PUSH_DATASET, placeholder="owner/name", max_lines=1)
        annotation = gr.Textbox(visible=False)
        button = gr.Button(PUSH_BUTTON, size="sm", elem_classes="dl-fit")
        note = gr.HTML()
    button.click(
        push_note, [dataset, annotation, result], note, js=ON_PUSH, api_visibility="private"
    )
