"""The Gradio page: upload to evidence. No model code here: it is given `path -> Report`."""
