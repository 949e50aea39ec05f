"""A model as a page for a browser: a folder of plain files, run by the user's own onnxruntime-web."""
