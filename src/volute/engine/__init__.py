"""An artefact at work, without torch: its folder, its card, its graphs on ONNX Runtime."""
