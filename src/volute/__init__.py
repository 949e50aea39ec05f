"""volute: convolutional generative models, trained on your own data and run anywhere.

```python
run = volute.train("gan", "photos/", time="30m")
pictures = volute.load(run.path).sample(16, seed=0)
```

Nothing heavy is imported before it is used: `load`, `sample` and `models` need no torch.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from volute.errors import import_trained

if TYPE_CHECKING:
    from volute.evaluation import evaluate
    from volute.handles import (
        classify,
        compare,
        load,
        models,
        sample,
        score,
        stylize,
        upscale,
        write,
    )
    from volute.jobs import train
    from volute.provenance import verify

__version__ = "0.1.0"
__all__ = ["__version__", "classify", "compare", "evaluate", "load", "models", "sample", "train"]
__all__ += ["score", "stylize", "upscale", "verify", "write"]

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
"""Importing ONNX Runtime would write an ID of the computer, and what to send, into the home folder;
asking it to leave that comes too late."""

_IN_HANDLES = ("classify", "compare", "load", "models", "sample", "score", "stylize", "upscale")
_IN_HANDLES += ("write",)


def __getattr__(name: str) -> Any:
    if name in _IN_HANDLES:
        return getattr(import_module("volute.handles"), name)
    if name == "evaluate":
        return import_module("volute.evaluation").evaluate
    if name == "verify":
        return import_module("volute.provenance").verify
    if name in ("jobs", "train"):
        jobs = import_trained("volute.jobs", "training")
        return jobs.train if name == "train" else jobs
    raise AttributeError(f"module 'volute' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
