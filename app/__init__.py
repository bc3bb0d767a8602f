"""The Gradio page: upload to evidence. No model code here: it is given a callable `path -> Report`."""
