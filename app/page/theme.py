"""How the page looks: a quiet theme on system fonts (nothing is fetched), and the page's CSS."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

SANS = ("ui-sans-serif", "system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

APP = Path(__file__).parents[1]
SHEETS = ("page/page.css", "viewer/upload/upload.css", "page/examples.css", "page/progress.css")

CSS = "\n".join((APP / sheet).read_text(encoding="utf-8") for sheet in SHEETS)

THEME = gr.themes.Base(
    primary_hue=gr.themes.colors.sky,
    secondary_hue=gr.themes.colors.slate,
    neutral_hue=gr.themes.colors.slate,
    radius_size=gr.themes.sizes.radius_md,
    font=SANS,
    font_mono=MONO,
).set(
    body_background_fill="#f6f7f9",
    body_background_fill_dark="#0b0f19",
    body_text_color="#16202e",
    body_text_color_dark="#e6eaf2",
    body_text_color_subdued="#586474",
    body_text_color_subdued_dark="#9aa6b8",
    background_fill_primary="#ffffff",
    background_fill_primary_dark="#121826",
    background_fill_secondary="#f0f2f5",
    background_fill_secondary_dark="#1a2233",
    border_color_primary="#dce1e8",
    border_color_primary_dark="#2a3447",
    block_background_fill="*background_fill_primary",
    block_background_fill_dark="*background_fill_primary",
    block_border_width="1px",
    block_shadow="none",
    block_label_background_fill="transparent",
    block_label_background_fill_dark="transparent",
    block_label_border_width="0px",
    button_primary_background_fill="#0072B2",
    button_primary_background_fill_hover="#005f95",
    button_primary_background_fill_dark="#0072B2",
    button_primary_background_fill_hover_dark="#1a86c4",
    button_primary_text_color="#ffffff",
    button_secondary_background_fill="*background_fill_primary",
    button_secondary_background_fill_dark="*background_fill_secondary",
    button_secondary_background_fill_hover="*background_fill_secondary",
    button_secondary_border_color="*border_color_primary",
    button_border_width="1px",
)
