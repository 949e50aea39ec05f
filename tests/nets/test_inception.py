"""The FID network against its golden values, and its graph end to end from a local server."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from volute.errors import MissingExtraError, UsageError
from volute.measure.features import OnnxExtractor
from volute.nets.inception import FidInception, load_inception
from volute.training import fid

PLACES = [320, 700, 1000, 1500, 2047]
GOLDEN = [2.118784, 0.035989, 0.026887, 0.307122, 3.133190]
GOLDEN_MEAN = 1.141391


def fill(network: nn.Module) -> None:
    """Draw all weights from one seed so that signals keep their size through the depth."""
    rng = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.data
            weight.normal_(0, (2 / weight[0].numel()) ** 0.5, generator=rng)
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.8, 1.2, generator=rng)
            module.bias.data.normal_(0, 0.1, generator=rng)
            module.running_mean.normal_(0, 0.1, generator=rng)
            module.running_var.uniform_(0.5, 1.5, generator=rng)


def picture() -> torch.Tensor:
    """Return [1, 3, 299, 299] in [0, 1]: waves across, down and along the diagonal."""
    x = torch.linspace(0, 1, 299)
    across, down = x.expand(299, 299), x[:, None].expand(299, 299)
    waves = torch.stack([across * 20, down * 30, (across + down) * 25])
    return waves.sin()[None] / 2 + 0.5


@pytest.fixture(scope="module")
def network() -> FidInception:
    network = FidInception()
    fill(network)
    return network.requires_grad_(False).eval()


def test_features_are_those_of_pytorch_fid(network: FidInception) -> None:
    # pytorch-fid at b9c1811 gives these, to the last bit, for the same weights and picture.
    (features,) = network(picture())
    assert features.shape == (2048,)
    golden = torch.tensor(GOLDEN)
    torch.testing.assert_close(features[PLACES], golden, rtol=1e-4, atol=5e-5)
    assert float(features.mean()) == pytest.approx(GOLDEN_MEAN, rel=1e-4)


def test_a_picture_keeps_its_features_in_any_batch(network: FidInception) -> None:
    both = torch.cat([picture(), 1 - picture()])
    features = network(both)
    assert not torch.allclose(features[0], features[1], rtol=1e-2)
    torch.testing.assert_close(network(both[1:])[0], features[1], rtol=1e-3, atol=1e-4)


def weights(network: FidInception) -> dict[str, torch.Tensor]:
    """Return what a checkpoint holds, with the classifier that is not needed."""
    tensors = {k: t for k, t in network.state_dict().items() if "num_batches" not in k}
    return tensors | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}


@pytest.mark.parametrize("key", ["Mixed_7c.branch3x3_2b.bn.running_var", "Conv2d_1a_3x3.bn.bias"])
def test_a_checkpoint_that_does_not_fit_is_refused(
    key: str, network: FidInception, tmp_path: Path
) -> None:
    tensors, path = weights(network), tmp_path / "weights.safetensors"
    value = tensors.pop(key)
    save_file(tensors, path)
    with pytest.raises(UsageError, match="does not hold this network") as caught:
        load_inception(path)
    assert str(path) in caught.value.what
    save_file(tensors | {key: value[:-1].clone()}, path)
    with pytest.raises(UsageError, match="does not hold this network"):
        load_inception(path)


def test_what_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not hold"):
        load_inception(tmp_path / "absent.safetensors")
    path = tmp_path / "weights.pth"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(UsageError, match="does not hold"):
        load_inception(path)


@pytest.fixture
def served(
    network: FidInception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Serve a checkpoint on this machine in the place of the real one."""
    path = tmp_path / "served" / "weights.safetensors"
    path.parent.mkdir()
    save_file(weights(network), path)
    monkeypatch.setenv("VOLUTE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VOLUTE_OFFLINE", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=path.parent)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        url = f"http://127.0.0.1:{server.server_port}/{path.name}"
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        asset = dataclasses.replace(fid.INCEPTION, url=url, sha256=digest)
        monkeypatch.setattr(fid, "INCEPTION", asset)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@pytest.mark.usefixtures("served")
def test_the_graph_is_fetched_made_once_and_equals_torch(network: FidInception) -> None:
    asked: list[str] = []
    path = fid.fid_graph(lambda text: not asked.append(text))
    assert fid.fid_graph(lambda text: not asked.append(text)) == path
    assert len(asked) == 1
    assert fid.INCEPTION.url in asked[0]
    assert [file.name for file in path.parent.iterdir()] == ["inception-v3.onnx"]

    extractor = OnnxExtractor(path, batch=2)
    assert (extractor.name, extractor.side, extractor.dimension) == ("inception-v3", 299, 2048)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 299, 299, 3), dtype=np.uint8)
    expected = network(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255).numpy()
    np.testing.assert_allclose(extractor(pictures), expected, rtol=1e-3, atol=1e-4)


def test_without_torch_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOLUTE_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match="needs onnxscript"):
        fid.fid_graph(lambda text: pytest.fail("asked"))


def test_the_asset_is_the_hosted_conversion() -> None:
    assert fid.INCEPTION.url.startswith("https://huggingface.co/")
    assert len(bytes.fromhex(fid.INCEPTION.sha256)) == 32
    assert 96_000_000 < fid.INCEPTION.limit < 200_000_000
