"""Looking inside networks whose answer is known, and inside each kind that has been trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from shapes import TINY, shapes
from volute.errors import UsageError
from volute.jobs import train
from volute.training.run import Run
from volute.visualize.attribution import grad_cam, occlusion
from volute.visualize.maximise import maximised
from volute.visualize.network import Visible, open_network
from volute.visualize.patches import strongest_patches
from volute.visualize.sheets import decision, stages

SIDE = 16


def known() -> Visible:
    """A network of one stage with two channels: how bright a place is, and how dark.

    Its classes are `left` and `right`: which half is bright.
    """

    def maps(x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        mean = F.avg_pool2d(x_BCHW, 2)
        return [torch.cat([F.relu(mean), F.relu(-mean)], 1)]

    def decide(last_BCHW: torch.Tensor) -> torch.Tensor:
        left, right = last_BCHW[:, 0].chunk(2, 2)
        return torch.stack([left.mean((1, 2)), right.mean((1, 2))], 1)

    return Visible("known", "classifier", maps, decide, ("left", "right"), SIDE, 1)


def left_bright() -> torch.Tensor:
    x_CHW = torch.zeros(1, SIDE, SIDE)
    x_CHW[:, 4:12, 2:6] = 0.9
    return x_CHW


@pytest.mark.parametrize("find", [grad_cam, occlusion])
def test_heat_lies_where_the_answer_comes_from(find) -> None:
    network = known()
    assert network.decide is not None
    heat = find(network, network.decide, left_bright(), 0)
    assert heat.shape == (SIDE, SIDE)
    assert heat.max() == pytest.approx(1, abs=1e-4)
    assert heat[4:12, 2:6].mean() > 5 * heat[:, 10:].mean()


def test_nothing_hidden_speaks_for_what_is_not_there() -> None:
    network = known()
    assert network.decide is not None
    assert occlusion(network, network.decide, left_bright(), 1).max() == 0


def test_the_picture_that_a_channel_wants_excites_it_more_than_noise_does() -> None:
    network = known()
    wanted = maximised(network, 0, [0, 1])
    noise = torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for channel in (0, 1):
        excited, usual = (network.maps(x)[0][channel, channel].mean() for x in (wanted, noise))
        assert excited > 3 * usual
    assert torch.equal(wanted, maximised(network, 0, [0, 1]))


def test_the_patches_are_those_of_the_most_exciting_pictures() -> None:
    pictures = np.full((40, SIDE, SIDE, 1), 100, np.uint8)
    for index in range(40):
        pictures[index, 6:8, 10:12] = 100 + 3 * index
    (stage,) = strongest_patches(known(), pictures, [[0, 1]])
    (bright, dark) = stage
    assert [int(patch.max()) for patch in bright] == [100 + 3 * k for k in range(39, 30, -1)]
    assert all(patch.shape == (8, 8, 1) for patch in bright + dark)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("visible")
    pictures, labels = shapes(200)
    np.savez(folder / "shapes.npz", x_train=pictures, y_train=labels)
    return {
        kind: train(kind, folder / "shapes.npz", kimg=1.6, out=folder / kind, settings=TINY[kind])
        for kind in TINY
    }


@pytest.mark.parametrize("kind", list(TINY))
def test_every_kind_shows_its_stages_and_what_decided(kind: str, runs: dict[str, Run]) -> None:
    network = open_network(runs[kind].path)
    pictures, _ = shapes(30, seed=1)
    found = stages(network, pictures[0, ..., None], pictures[..., None])
    sides = [stage.side for stage in found]
    assert len(sides) >= 2
    assert sides == sorted(sides, reverse=True)
    for stage in found:
        assert len(stage.maps) == len(stage.wanted) == len(stage.patches) == len(stage.channels)
        assert stage.sheet().height > 3 * stage.maps[0].height
    decided = decision(network, pictures[0, ..., None])
    assert (decided is None) == (kind == "vae")
    if decided is not None:
        values = [value for _, value in decided.ranking]
        assert values == sorted(values, reverse=True)


def test_the_rebuilt_classifier_answers_as_the_exported_one(runs: dict[str, Run]) -> None:
    import volute
    from volute.handles import Classifier

    pictures, _ = shapes(5, seed=2)
    handle = volute.load(runs["classify"].path)
    assert isinstance(handle, Classifier)
    network = open_network(runs["classify"].path)
    for picture in pictures[..., None]:
        decided = decision(network, picture)
        assert decided is not None
        answer = handle.classify(picture, top=2)
        assert not isinstance(answer, list)
        for (label, value), (name, chance) in zip(decided.ranking, answer.ranking, strict=True):
            assert label == name
            assert value == pytest.approx(chance, abs=1e-4)


def test_a_gan_without_its_run_says_where_the_discriminator_is(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="stays with the run"):
        open_network(runs["gan"].model)


def test_the_discriminator_of_a_classic_gan_is_shown_too(tmp_path: Path) -> None:
    pictures, _ = shapes(64)
    np.savez(tmp_path / "shapes.npz", x_train=pictures)
    settings = {"width": 16, "latent": 8, "threads": 1, "precision": "float32"}
    run = train(
        "gan", tmp_path / "shapes.npz", preset="classic", kimg=0.2, out=tmp_path / "run",
        settings=settings,
    )  # fmt: skip
    network = open_network(run.path)
    assert network.part == "discriminator"
    x = torch.zeros(2, 1, 16, 16)
    found = network.maps(x)
    assert [stage.shape[-1] for stage in found] == [8, 4]
    assert network.decide is not None
    assert network.decide(found[-1]).shape == (2, 1)
