"""The Gradio page itself: its layout, its events, its texts as HTML, its theme."""
