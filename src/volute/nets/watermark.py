"""The watermark's networks: one hides bits in a picture of fixed side, the other reads them.

The encoder is a U-Net (Ronneberger et al. 2015) that meets the message as maps at each of its
resolutions. The decoder is strided convolutions and one linear layer over all that is left: it
keeps where a feature is, without which it would hardly begin to learn. Neither normalises.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

SIDE = 128
"""Side in px of what both networks see."""
MAPS, CELLS = 8, SIDE // 8
"""A message lies in so many maps of so many cells a side."""
PACE, REFINED = 0.2, 40.2
"""How far a step of a refiner goes, and the PSNR in dB of the mark meanwhile."""
LOUD = 1.2
"""How strong a message is in its maps at first, so that it is heard beside the picture."""
READ = (32, 48, 80, 112, 144)
"""Channels of the decoder, each at half the resolution of the one before."""


class MarkEncoder(nn.Module):
    """From a picture and a message to what is added to the picture.

    Args:
        bits: of a message.
        width: channels at half the resolution; twice and three times as many further down.
    """

    def __init__(self, bits: int, width: int) -> None:
        super().__init__()
        fine, half, quarter = width, 2 * width, 3 * width
        self.message = nn.Linear(bits, MAPS * CELLS**2)
        nn.init.normal_(self.message.weight, std=LOUD * bits**-0.5)
        self.first, self.second = _conv(3, fine, 2), _conv(fine, half, 2)
        self.third, self.deep = _conv(half, quarter, 2), _conv(quarter + MAPS, quarter)
        self.up, self.upper = _conv(quarter + half + MAPS, half), _conv(half + fine + MAPS, fine)
        self.finer, self.last = _conv(fine, fine), _conv(fine, 3 * 4)

    def forward(self, x_BCHW: torch.Tensor, message_BN: torch.Tensor) -> torch.Tensor:
        """Map pictures [B, 3, 128, 128] in [-1, 1] and messages of -1 and 1 [B, bits].

        Returns:
            What to add, at any scale: [B, 3, 128, 128], the mean of each channel 0.
        """
        maps = self.message(message_BN).view(-1, MAPS, CELLS, CELLS)
        fine = F.relu(self.first(x_BCHW))
        half = F.relu(self.second(fine))
        quarter = F.relu(self.third(half))
        x = F.relu(self.deep(torch.cat([quarter, maps], 1)))
        maps = _twice(maps)
        x = F.relu(self.up(torch.cat([_twice(x), half, maps], 1)))
        x = F.relu(self.upper(torch.cat([_twice(x), fine, _twice(maps)], 1)))
        added = F.pixel_shuffle(self.last(x + F.relu(self.finer(x))), 2)
        return added - added.mean((2, 3), keepdim=True)


class MarkDecoder(nn.Module):
    """From a picture to the log-odds of each bit."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        pairs = list(zip((3, *READ[:-1]), READ, strict=True))
        self.down = nn.ModuleList([_conv(before, after, 2) for before, after in pairs])
        self.same = nn.ModuleList([_conv(after, after) for after in READ[1:]])
        self.read = nn.Linear(READ[-1] * (SIDE >> len(READ)) ** 2, bits)
        nn.init.normal_(self.read.weight)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Map pictures [B, 3, 128, 128] in [-1, 1] to [B, bits]."""
        x = F.relu(self.down[0](x_BCHW))
        for down, same in zip(list(self.down)[1:], self.same, strict=True):
            x = F.relu(down(x))
            x = x + F.relu(same(x))
        logits: torch.Tensor = self.read(x.flatten(1) * self.read.in_features**-0.5)
        return logits

    def pulled(self, x_BCHW: torch.Tensor, message_BN: torch.Tensor) -> torch.Tensor:
        """Return in which direction to change pictures so that a message is read more surely.

        The gradient of the sum of softplus(-2 message * odds / mean |odds|), written out since no
        exported graph holds a gradient.

        Args:
            x_BCHW: pictures as they are read, [B, 3, 128, 128] in [-1, 1].
            message_BN: what they hold, -1 and 1 [B, bits].

        Returns:
            Minus the gradient at any scale, [B, 3, 128, 128].
        """
        first = F.relu(self.down[0](x_BCHW))
        x, kept = first, []
        for down, same in zip(list(self.down)[1:], self.same, strict=True):
            before = F.relu(down(x))
            added = F.relu(same(before))
            x = before + added
            kept.append((before, added))
        logits = self.read(x.flatten(1) * self.read.in_features**-0.5)
        scale = 2 / logits.abs().mean(1, keepdim=True)
        sure = message_BN * torch.sigmoid(-scale * message_BN * logits)
        pull = (sure @ self.read.weight).view(x.shape)
        for (before, added), down, same in reversed(
            list(zip(kept, list(self.down)[1:], self.same, strict=True))
        ):
            pull = pull + _back(pull * (added > 0), same)
            pull = _back(pull * (before > 0), down)
        return _back(pull * (first > 0), self.down[0])


class MarkRefiner(nn.Module):
    """One step from what an encoder drew to what the decoder reads more surely in this picture.

    An encoder knows pictures in general. A few steps along the decoder's gradient, at the same
    strength, mend what is read wrongly in one.
    """

    def __init__(self, decoder: MarkDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self,
        x_BCHW: torch.Tensor,
        noticeable_B1HW: torch.Tensor,
        added_BCHW: torch.Tensor,
        message_BN: torch.Tensor,
    ) -> torch.Tensor:
        """Map pictures, their masks, what is to be added and messages to what is better added.

        Args:
            x_BCHW: [B, 3, 128, 128] in [-1, 1].
            noticeable_B1HW: what is just noticeable, at any scale.
            added_BCHW: from the encoder, or the step before.
            message_BN: -1 and 1.

        Returns:
            As the encoder gives it.
        """
        added = _even(added_BCHW)
        laid = _even(added * noticeable_B1HW) * (2 * 10 ** (-REFINED / 20))
        pull = self.decoder.pulled(x_BCHW + laid, message_BN) * noticeable_B1HW
        added = added + PACE * _even(pull)
        return _even(added - added.mean((2, 3), keepdim=True))


class HalfMarkRefiner(nn.Module):
    """A refiner whose parameters lie on disk in half precision and compute in float32."""

    def __init__(self, decoder: MarkDecoder) -> None:
        super().__init__()
        self.network = MarkRefiner(decoder.half())

    def forward(
        self,
        x_BCHW: torch.Tensor,
        noticeable_B1HW: torch.Tensor,
        added_BCHW: torch.Tensor,
        message_BN: torch.Tensor,
    ) -> torch.Tensor:
        """See `MarkRefiner`."""
        wide = {name: value.float() for name, value in self.network.named_parameters()}
        inputs = (x_BCHW, noticeable_B1HW, added_BCHW, message_BN)
        made: torch.Tensor = functional_call(self.network, wide, inputs)
        return made


def _conv(before: int, after: int, stride: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(before, after, 3, stride, 1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def _back(x_BCHW: torch.Tensor, layer: nn.Module) -> torch.Tensor:
    """Return what the transpose of a convolution gives."""
    assert isinstance(layer, nn.Conv2d)
    stride = layer.stride[0]
    return F.conv_transpose2d(x_BCHW, layer.weight, None, stride, 1, output_padding=stride - 1)


def _even(x_BCHW: torch.Tensor) -> torch.Tensor:
    """Bring each to a root mean square of 1."""
    return x_BCHW / (x_BCHW.square().mean((1, 2, 3), keepdim=True) + 1e-20).sqrt()


def _twice(x_BCHW: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x_BCHW, scale_factor=2, mode="nearest")
