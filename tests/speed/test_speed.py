"""What is counted of a graph, the limits of a computer, and how they are shown."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from volute.engine.artefact import open_artefact
from volute.engine.session import DEFAULT, Session
from volute.errors import UsageError
from volute.speed.cases import Case, cases, natural
from volute.speed.counted import counted
from volute.speed.limits import FILE, PRODUCTS, SIDE, Limits, limits
from volute.speed.measured import Row, measured
from volute.speed.report import Report
from volute.speed.roofline import svg_or_png
from volute.zoo import resolve

LIMITS = Limits(threads=2, float32=2e11, bf16=4e11, int8=8e11, one_thread=1e11, bandwidth=2e10)
ROW = Row(
    model="<a&b>",
    role="upscaler",
    engine="onnxruntime float32",
    size="1 x 512 x 512 px",
    p50=100.0,
    p95=120.0,
    items=0.5,
    unit="megapixels",
    memory=200 << 20,
    macs=5 * 10**9,
    bytes=10**8,
    products=0.9,
    products_rate=8e10,
)


def graph(folder: Path, node: onnx.NodeProto, x: list[int], *others: list[int]) -> Case:
    """Return one operator on an input and constants of these shapes."""
    names = ["x", "w", "b"][: 1 + len(others)]
    constants = [
        numpy_helper.from_array(np.ones(shape, np.float32), name)
        for name, shape in zip(names[1:], others, strict=True)
    ]
    made = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    (folder / "one.onnx").write_bytes(model.SerializeToString())
    (folder / "weights.safetensors").write_bytes(b"")
    return Case("one", folder / "one.onnx", {"x": np.ones(x, np.float32)})


@pytest.mark.parametrize(
    ("node", "shapes", "macs"),
    [
        (helper.make_node("MatMul", ["x", "w"], ["y"]), ([2, 5, 7], [7, 3]), 2 * 5 * 3 * 7),
        (helper.make_node("Gemm", ["x", "w"], ["y"], transB=1), ([5, 7], [3, 7]), 5 * 3 * 7),
        (
            helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2], group=2),
            ([1, 4, 9, 11], [6, 2, 3, 3]),
            6 * 4 * 5 * 2 * 9,
        ),
        (
            helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2]),
            ([1, 4, 5, 6], [4, 3, 2, 2]),
            4 * 5 * 6 * 3 * 4,
        ),
        (helper.make_node("Relu", ["x"], ["y"]), ([1, 4, 5, 6],), 0),
    ],
)
def test_multiply_adds(
    tmp_path: Path, node: onnx.NodeProto, shapes: tuple[list[int], ...], macs: int
) -> None:
    assert counted(graph(tmp_path, node, *shapes)).macs == macs


@pytest.mark.parametrize("name", ["photo-x4-fast", "land-gan", "garments-classify", "painter"])
def test_the_count_is_that_of_the_card(name: str) -> None:
    """The card's comes from torch at the export."""
    artefact = open_artefact(resolve(name))
    case, about = cases(artefact, side=256, batch=2)[0], artefact.config.descriptor
    pixels = case.megapixels * 1e6 * about.scale**2 or case.items * about.size**2
    if about.kind == "classify":
        pixels = case.items * about.size**2
    found = counted(case)
    assert found.macs == pytest.approx(about.macs_per_pixel * pixels, rel=0.01)
    assert 0 < found.products <= 1
    assert found.bytes > 4 * about.parameters


def test_products_are_made_by_their_script() -> None:
    file = Path(__file__).parents[2] / "benchmarks" / "products.py"
    spec = importlib.util.spec_from_file_location("products", file)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for name, *parts in (script.floats(), script.integers()):
        assert (PRODUCTS / name).read_bytes() == script.graph(*parts)


def test_products_multiply() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((SIDE, SIDE)).astype(np.float32)
    w = (rng.standard_normal((SIDE, SIDE)) / 32).astype(np.float32)
    made = Session(PRODUCTS / "float32.onnx", 1, {FILE: w.tobytes()}).run({"x0": x})
    assert np.allclose(made, x @ w @ w @ w @ w, atol=1e-3)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("volute.speed.limits.SECONDS", 0.0)
    found = limits([DEFAULT])
    assert found.bf16 is None
    assert min(found.float32, found.int8, found.one_thread, found.bandwidth) > 1e8
    assert found.rate("bf16") == found.float32
    assert found.or_more(LIMITS).int8 == max(found.int8, LIMITS.int8)
    assert LIMITS.most(1.0, "float32") == 2e10
    assert LIMITS.most(1000.0, "bf16") == 4e11


def test_natural_pictures_have_their_power_at_low_frequencies() -> None:
    picture = natural((1, 1, 128, 128))
    assert picture.dtype == np.float32
    assert np.abs(picture).max() <= 1
    power = np.square(np.abs(np.fft.rfft(picture[0, 0], axis=1))).mean(0)
    assert power[1:8].mean() > 20 * power[32:].mean()


def test_a_report_and_what_it_says(tmp_path: Path) -> None:
    report = Report.of(LIMITS, [ROW], busy=0.0)
    assert report.share(ROW) == pytest.approx(0.5)
    assert report.products(ROW) == pytest.approx(0.8)
    report.save(tmp_path / "a.json")
    again = Report.open(tmp_path / "a.json")
    assert again == report
    slower = ROW.model_copy(update={"p50": 200.0})
    other = ROW.model_copy(update={"model": "other"})
    lines = Report.of(LIMITS, [slower, other], busy=0.0).table(again)
    assert [line[-1] for line in lines] == ["times", "0.50", "new"]
    (tmp_path / "b.json").write_text('{"rows": 1}')
    for name in ("b.json", "none.json"):
        with pytest.raises(UsageError):
            Report.open(tmp_path / name)


def test_advice_on_a_busy_computer_and_shared_cores() -> None:
    shared = LIMITS.model_copy(update={"one_thread": 1.9e11})
    said = "\n".join(Report.of(shared, [ROW], busy=3.0).advice())
    assert "too low" in said
    assert "threads=1" in said
    assert "--memory" in said
    quiet = "\n".join(Report.of(LIMITS, [ROW], busy=0.1).advice())
    assert "too low" not in quiet
    assert "threads=1" not in quiet


def test_the_roofline_is_a_picture(tmp_path: Path) -> None:
    svg_or_png(tmp_path / "a.svg", LIMITS, [ROW, ROW])
    root = ElementTree.fromstring((tmp_path / "a.svg").read_text())
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert "1  <a&b> upscaler, 100" in texts
    assert "int8 products, 800" in texts
    svg_or_png(tmp_path / "a.png", LIMITS, [ROW])
    assert Image.open(tmp_path / "a.png").size == (2240, 1200)
    with pytest.raises(UsageError, match="no name for a plot"):
        svg_or_png(tmp_path / "a.pdf", LIMITS, [ROW])


def test_a_model_is_measured_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = measured("garments-gan")
    assert (row.model, row.role, row.engine) == ("garments-gan", "generator", str(DEFAULT))
    assert (row.items, row.unit, row.size) == (16, "pictures", "16 latents")
    assert 0 < row.p50 <= row.p95
    assert row.memory > 50 << 20
    assert row.macs > 0
    with pytest.raises(UsageError):
        measured("garments-gam")
