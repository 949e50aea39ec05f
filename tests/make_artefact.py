"""Tiny artefacts for tests: real ONNX graphs whose weights lie in `weights.safetensors`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save

from volute.engine.artefact import Artefact, ArtefactConfig, Descriptor, write_artefact

SIZE = 16
LATENT = 8
COMPONENTS, MIXED = 2, 3
BLOCKS = 4  # the autoencoder keeps the mean of each of 4 x 4 blocks


def config(kind: str, name: str = "tiny", **changes: Any) -> ArtefactConfig:
    """Return a valid configuration of a 16 px model."""
    known = {
        "gan": ["generator"],
        "vae": ["encoder", "decoder"],
        "classify": ["classifier"],
        "upscale": ["upscaler"],
    }
    roles = known.get(kind, ["network"])
    channels = changes.pop("channels", 1)
    values = {
        "format_version": 1,
        "name": name,
        "graphs": {role: f"{role}.onnx" for role in roles},
        "latent": LATENT if kind == "gan" else channels * BLOCKS * BLOCKS if kind == "vae" else 0,
        "preset": "tiny",
        "volute": "0.1.0",
        "created": "2026-11-24",
        **changes,
    }
    about = Descriptor(
        kind=kind,
        channels=channels,
        size=SIZE,
        radius=9,
        tiling_exact=False,
        parameters=4321,
        macs_per_pixel=1234.5,
        training_data="16 drawings | made for tests",
        licence="CC0-1.0",
    )
    return ArtefactConfig(descriptor=about, **values)


def make_gan(
    path: Path, channels: int = 1, classes: tuple[str, ...] = (), name: str = "tiny-gan"
) -> Artefact:
    """Write a GAN of random weights: linear (and class embedding), upsampling, convolution."""
    rng = np.random.default_rng(0)
    half = SIZE // 2
    weights = {
        "linear": rng.standard_normal((LATENT, 4 * half * half)).astype(np.float32),
        "conv": 0.3 * rng.standard_normal((channels, 4, 3, 3)).astype(np.float32),
    }
    nodes = [helper.make_node("MatMul", ["latent", "linear"], ["h0"])]
    if classes:
        embed = 2 * rng.standard_normal((len(classes), 4 * half * half))
        weights["embed"] = embed.astype(np.float32)
        nodes += [
            helper.make_node("Gather", ["embed", "label"], ["e"]),
            helper.make_node("Add", ["h0", "e"], ["h"]),
        ]
    nodes += [
        helper.make_node("Reshape", ["h" if classes else "h0", "shape"], ["x"]),
        helper.make_node("Resize", ["x", "", "scales"], ["u"], mode="linear"),
        helper.make_node("Conv", ["u", "conv"], ["c"], pads=[1] * 4),
        helper.make_node("Tanh", ["c"], ["picture"]),
    ]
    constants = {
        "shape": np.array([-1, 4, half, half], np.int64),
        "scales": np.array([1, 1, 2, 2], np.float32),
    }
    inputs = {"latent": (TensorProto.FLOAT, ["n", LATENT])}
    if classes:
        inputs["label"] = (TensorProto.INT64, ["n"])
    content = save(weights)
    shape = ["n", channels, SIZE, SIZE]
    graph = to_onnx(nodes, inputs, ("picture", shape), weights, constants, content)
    about = config("gan", name, channels=channels, classes=classes)
    return write_artefact(path, about, {"generator": graph}, content, {}, None, {})


def make_vae(
    path: Path, channels: int = 1, density: bool = True, name: str = "tiny-vae"
) -> Artefact:
    """Write an autoencoder that keeps the mean of each 4 x 4 block, exactly."""
    latent = channels * BLOCKS * BLOCKS
    rng = np.random.default_rng(1)
    weights = {"ones": np.ones(latent, np.float32)}
    if density:
        weights |= {
            "density.weights": np.array([0.25, 0.75]),
            "density.means": rng.standard_normal((COMPONENTS, MIXED)),
            "density.factors": np.tril(rng.standard_normal((COMPONENTS, MIXED, MIXED))),
        }
    content = save(weights)
    shared = {"ones": weights["ones"]}
    step = SIZE // BLOCKS
    encoder = to_onnx(
        [
            helper.make_node(
                "AveragePool", ["picture"], ["a"], kernel_shape=[step] * 2, strides=[step] * 2
            ),
            helper.make_node("Flatten", ["a"], ["f"]),
            helper.make_node("Mul", ["f", "ones"], ["latent"]),
        ],
        {"picture": (TensorProto.FLOAT, ["n", channels, SIZE, SIZE])},
        ("latent", ["n", latent]),
        shared,
        {},
        content,
    )
    decoder = to_onnx(
        [
            helper.make_node("Mul", ["latent", "ones"], ["m"]),
            helper.make_node("Reshape", ["m", "shape"], ["r"]),
            helper.make_node("Resize", ["r", "", "scales"], ["picture"], mode="nearest"),
        ],
        {"latent": (TensorProto.FLOAT, ["n", latent])},
        ("picture", ["n", channels, SIZE, SIZE]),
        shared,
        {
            "shape": np.array([-1, channels, BLOCKS, BLOCKS], np.int64),
            "scales": np.array([1, 1, step, step], np.float32),
        },
        content,
    )
    about = config("vae", name, channels=channels, density=MIXED if density else 0)
    graphs = {"encoder": encoder, "decoder": decoder}
    return write_artefact(path, about, graphs, content, {}, None, {})


def make_classifier(path: Path, name: str = "tiny-classifier") -> Artefact:
    """Write a classifier of day and night by the mean of a grey picture, which abstains at .6."""
    weights = {"slopes": np.tile(np.array([4.0, -4.0], np.float32), (SIZE * SIZE, 1)) / SIZE**2}
    content = save(weights)
    nodes = [
        helper.make_node("Flatten", ["picture"], ["flat"]),
        helper.make_node("MatMul", ["flat", "slopes"], ["logits"]),
    ]
    inputs = {"picture": (TensorProto.FLOAT, ["n", 1, SIZE, SIZE])}
    graph = to_onnx(nodes, inputs, ("logits", ["n", 2]), weights, {}, content)
    about = config("classify", name, classes=("day", "night"), threshold=0.6)
    return write_artefact(path, about, {"classifier": graph}, content, {}, None, {})


def make_upscaler(
    path: Path, bands: int = 3, scale: int = 2, name: str = "tiny-upscaler"
) -> Artefact:
    """Write nearest enlargement with something local of random weights added; its radius is 2."""
    rng = np.random.default_rng(0)
    many = bands * scale**2
    weights = {
        "first": (0.2 * rng.standard_normal((8, bands, 3, 3))).astype(np.float32),
        "last": (0.1 * rng.standard_normal((many, 8, 3, 3))).astype(np.float32),
        "spread": np.repeat(np.eye(bands, dtype=np.float32), scale**2, 0)[:, :, None, None],
    }
    content = save(weights)
    nodes = [
        helper.make_node("Conv", ["picture", "first"], ["a"], pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "last"], ["c"], pads=[1] * 4),
        helper.make_node("Conv", ["picture", "spread"], ["d"]),
        helper.make_node("Add", ["c", "d"], ["e"]),
        helper.make_node("DepthToSpace", ["e"], ["enlarged"], blocksize=scale, mode="CRD"),
    ]
    inputs = {"picture": (TensorProto.FLOAT, ["n", bands, "h", "w"])}
    graph = to_onnx(nodes, inputs, ("enlarged", ["n", bands, "H", "W"]), weights, {}, content)
    about = config("upscale", name, channels=bands, settings={"width": 64})
    local = about.descriptor.model_copy(
        update={"radius": 2, "scale": scale, "size": 0, "tiling_exact": True}
    )
    about = about.model_copy(update={"descriptor": local})
    return write_artefact(path, about, {"upscaler": graph}, content, {}, None, {})


def make_extractor(path: Path, side: int = 16, dimension: int = 12) -> Path:
    """Write an extractor: 4 x 4 means of an RGB picture, mixed at random."""
    rng = np.random.default_rng(0)
    weights = {"mix": rng.standard_normal((3 * 16, dimension)).astype(np.float32)}
    step = [side // 4] * 2
    nodes = [
        helper.make_node("AveragePool", ["image"], ["a"], kernel_shape=step, strides=step),
        helper.make_node("Flatten", ["a"], ["f"]),
        helper.make_node("MatMul", ["f", "mix"], ["features"]),
    ]
    content = save(weights)
    inputs = {"image": (TensorProto.FLOAT, ["n", 3, side, side])}
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "weights.safetensors").write_bytes(content)
    path.write_bytes(to_onnx(nodes, inputs, ("features", ["n", dimension]), weights, {}, content))
    return path


def to_onnx(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, tuple[int, list[Any]]],
    output: tuple[str, list[Any]],
    weights: dict[str, np.ndarray],
    constants: dict[str, np.ndarray],
    content: bytes,
) -> bytes:
    """Serialise a graph whose `weights` lie in the safetensors bytes `content`."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    for name, value in weights.items():
        begin, end = header[name]["data_offsets"]
        place = ("weights.safetensors", 8 + length + begin, end - begin)
        tensors.append(external(name, list(value.shape), *place))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
        [helper.make_tensor_value_info(output[0], TensorProto.FLOAT, output[1])],
        tensors,
    )
    opsets = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


def external(
    name: str, shape: list[int], location: str, offset: int, length: int
) -> onnx.TensorProto:
    """Return a float32 initialiser that lies in another file."""
    where = TensorProto.EXTERNAL
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=where)
    for key, value in {"location": location, "offset": offset, "length": length}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def make_lm(
    path: Path,
    width: int = 8,
    settings: dict[str, Any] | None = None,
    pairs: np.ndarray | None = None,
) -> Artefact:
    """Write a language model of random weights that likes letters, of bytes or of byte pairs."""
    rng, taps = np.random.default_rng(0), (5, 9)
    symbols = 256 if pairs is None else 256 + len(pairs)
    tensors = {
        "bytes.weight": (symbols, width),
        **{f"grams.{index}.weight": (32, 4) for index in range(4)},
        "join.weight": (width, 16),
        "logits.weight": (symbols, width),
        "logits.bias": (symbols,),
    }
    for index, count in enumerate(taps):
        inside = {
            "inward.weight": (3 * width, width),
            "local": (4, 3 * width),
            "filter": (count, width),
            "skip": (width,),
            "outward.weight": (width, width),
            "widen.weight": (2 * width, width),
            "narrow.weight": (width, 2 * width),
        }
        tensors |= {f"layers.{index}.{name}": shape for name, shape in inside.items()}
    weights = {f"lm.{k}": rng.normal(0, 0.5, v).astype(np.float16) for k, v in tensors.items()}
    bias = weights["lm.logits.bias"]
    bias[:32] = bias[127:256] = -30
    about = Descriptor(
        kind="lm",
        channels=1,
        size=0,
        radius=4 + sum(count + 2 for count in taps),
        tiling_exact=False,
        parameters=sum(value.size for value in weights.values()),
        macs_per_pixel=1234.5,
        training_data="nothing",
        licence="CC0-1.0",
    )
    known = {"filters": list(taps)} if settings is None else settings
    if pairs is not None:
        known["bpe"] = symbols
        weights["bpe.pairs"] = pairs
    values = {
        "format_version": 1,
        "name": path.name,
        "graphs": {},
        "preset": "tiny",
        "settings": known,
        "volute": "0.1.0",
        "created": "2026-11-26",
    }
    made = ArtefactConfig(descriptor=about, **values)
    return write_artefact(path, made, {}, weights, {}, None, {"seed": "0"})


def text_weights(classes: int, rows: int = 64) -> dict[str, np.ndarray]:
    """Return random weights of two small classifiers of texts; first rows are of nothing."""
    rng, width, maps = np.random.default_rng(0), 6, 4
    shapes = {"bytes": (257, width), "words": (rows, width), "bag": (rows, classes)}
    shapes |= {f"grams.{index}": (rows, 4) for index in range(4)}
    tables = {f"{name}.weight": rng.normal(0, 1, shape) for name, shape in shapes.items()}
    for table in tables.values():
        table[0] = 0
    others = {"join.weight": (width, 16), "linear.weight": (classes, 6 * maps)}
    for name in ("over_bytes", "over_words"):
        for index, taps in enumerate((3, 4, 5)):
            others[f"{name}.{index}.weight"] = (maps, width, taps)
            others[f"{name}.{index}.bias"] = (maps,)
    others["linear.bias"] = (classes,)
    made = tables | {name: rng.normal(0, 0.5, shape) for name, shape in others.items()}
    members = {f"members.{i}.{name}": (i + 1) * made[name] for i in range(2) for name in made}
    return {name: value.astype(np.float32) for name, value in members.items()}


def make_text_classifier(path: Path, settings: dict[str, Any] | None = None) -> Artefact:
    """Write a classifier of texts of random weights, which abstains at .6."""
    known = {"length": 100, "members": 2} if settings is None else settings
    about = config("classify", path.name, classes=("day", "night"), threshold=0.6, settings=known)
    local = about.descriptor.model_copy(update={"size": 0, "radius": 100})
    about = about.model_copy(update={"descriptor": local, "graphs": {}})
    weights = {f"classifier.{name}": value for name, value in text_weights(2).items()}
    return write_artefact(path, about, {}, weights, {}, None, {})
