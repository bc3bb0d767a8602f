"""A signed-in visitor keeps annotation and report on the Hub: app.py, a real browser, our Hub."""

import json
import os
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.app.browser import PATIENCE_MS, block
from tests.app.test_served import ROOT, Served
from tests.hub import Hub, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]
DATASET = "datasets/someone/labels"


@pytest.fixture(scope="module")
def hub():
    with serving(Hub(tokens={"hf_test": "someone"})) as hub:
        yield hub


@pytest.fixture(scope="module")
def address(hub, tmp_path_factory):
    """Outside of a Space, Gradio signs everybody in as the owner of HF_TOKEN."""
    home = str(tmp_path_factory.mktemp("home"))
    environ = {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_test", "HF_HOME": home, "DEEPLOC_PUSH": "1"}
    with Served(ROOT, **environ) as served:
        yield served.address


@pytest.fixture
def page(browser, address):
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    yield page
    page.close()


def sign_in(page):
    page.get_by_role("button", name="Sign in with Hugging Face").click()
    expect(page.get_by_role("button", name="Logout (someone)")).to_be_visible()


def push(page, dataset):
    page.locator(".dl-card", has_text="Forged picture").click()
    expect(block(page, "predicted")).to_be_visible()
    page.locator("#dl-push button").first.click()
    page.get_by_label("Dataset").fill(dataset)
    page.get_by_role("button", name="Push annotation and report").click()
    return page.locator("#dl-push").get_by_role("note")


def test_whoever_is_not_signed_in_is_told_so(page, hub):
    expect(push(page, "someone/labels")).to_contain_text("Sign in with Hugging Face first")
    assert DATASET not in hub.repos


def test_annotation_and_report_become_a_commit(page, hub):
    sign_in(page)
    expect(push(page, "labels")).to_contain_text("Name the dataset as owner/name")
    block(page, "predicted").click()
    page.keyboard.press("a")
    page.get_by_label("Dataset").fill("someone/labels")
    page.get_by_role("button", name="Push annotation and report").click()
    note = page.locator("#dl-push").get_by_role("note")
    expect(note).to_contain_text(f"Kept on the Hub: {hub.url}/{DATASET}/commit/")
    files = hub.newest(DATASET)
    (report,) = [json.loads(files[name]) for name in files if name.startswith("reports/")]
    assert report["timeline"] and report["media"]["name"] == "picture.mp4"
    (kept,) = [json.loads(files[name]) for name in files if name.startswith("annotations/")]
    assert [segment["status"] for segment in kept["segments"]] == ["accepted"]
    assert not any(name.endswith(".mp4") for name in files)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "hf auth login"),
        ({"SPACE_ID": "someone/deeploc", "SYSTEM": "spaces"}, "set hf_oauth: true"),
    ],
)
def test_where_nobody_could_sign_in_the_page_does_not_start(environ, said, tmp_path):
    home = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9", "DEEPLOC_PUSH": "1"}
    command = [sys.executable, "app.py"]
    ended = subprocess.run(
        command, cwd=ROOT, env=os.environ | home | environ, capture_output=True, text=True
    )
    assert ended.returncode == 1 and said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_hub_that_refuses_is_a_sentence(page, hub):
    sign_in(page)
    hub.tokens.clear()
    expect(push(page, "someone/labels")).to_contain_text("does not let you write")
