"""A model as a page for a browser: plain files, run by the user's own onnxruntime-web."""
