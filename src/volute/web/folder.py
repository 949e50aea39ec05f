"""The folder of such a page: `page/` as it lies, the graph, its weights, and what to know of them.

Nothing of anybody else is in it: `package.json` names onnxruntime-web, which `npm install` fetches
or a server of one's own has.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from volute.engine.artefact import STYLE_FILE, WEIGHTS, Artefact
from volute.errors import UsageError
from volute.handles.style_networks import BORDER
from volute.handles.stylizer import MEASURED
from volute.paths import atomic_folder

PAGE = Path(__file__).parent / "page"
GRAPHS = {"upscale": ("upscaler",), "style": ("modulator", "stylizer")}
ABOUT = "model.json"


def write_page(artefact: Artefact, out: Path, int8: bool = False) -> None:
    """Write the page of a model at `out`, a new folder.

    Args:
        artefact: an upscaler or a stylizer.
        out: the folder to make.
        int8: run an upscaler's graph in integers, which it must have.

    Raises:
        UsageError: if it is neither an upscaler nor a stylizer, repairs as well, or stores no
            styles.
    """
    config = artefact.config
    graphs = GRAPHS.get(config.descriptor.kind, ())
    if not graphs or config.settings.get("robust"):
        what = f"{config.name} has no page for a browser"
        raise UsageError(what, "Stylizers have, and upscalers without a strength.")
    if config.descriptor.kind == "style" and not config.styles:
        raise UsageError(f"{config.name} stores no styles that a page could offer")
    graphs = ("int8",) if int8 else graphs
    with atomic_folder(out) as part:
        for file in (*PAGE.iterdir(), *(artefact.graph(role) for role in graphs)):
            (part / file.name).write_bytes(file.read_bytes())
        if not int8:
            (part / WEIGHTS).write_bytes((artefact.path / WEIGHTS).read_bytes())
        about = json.dumps(_about(artefact, graphs), indent=1) + "\n"
        (part / ABOUT).write_text(about, encoding="utf-8")


def _about(artefact: Artefact, graphs: tuple[str, ...]) -> dict[str, Any]:
    config, about = artefact.config, artefact.config.descriptor
    told: dict[str, Any] = {
        "name": config.name,
        "kind": about.kind,
        "licence": about.licence,
        "channels": about.channels,
        "scale": about.scale,
        "radius": about.radius,
        "multiple": about.size_multiple,
        "graphs": [config.graphs[role] for role in graphs],
        "weights": "" if "int8" in graphs else WEIGHTS,
    }
    if about.kind == "style":
        codes = artefact.tensors(["styles.codes"])["styles.codes"].astype(float).tolist()
        told["styles"] = dict(zip(config.styles, codes, strict=True))
        told |= {"styleFile": STYLE_FILE, "measured": MEASURED, "border": BORDER}
    return told
