"""What becomes of a picture on its way: other colours, other sizes, blur, noise, JPEG, crops.

A watermark has to outlast it. Pictures are RGB [B, 3, H, W] in [-1, 1]; all draws for each picture
come from the given generator, what is one for the batch from numbers that the caller draws.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from volute.training.degrade import blurred, in_bytes
from volute.training.distort import jpeg_steps, luma_chroma, quantised

BLUR, NOISE, QUALITY = 1.6, 15 / 127.5, 40
"""At most: the deviation of the blur in px and of the noise, and the quality of JPEG."""
OFTEN = {"colour": 0.4, "blur": 0.25, "noise": 0.25, "jpeg": 0.6}
"""Share of the pictures that meet each."""
SHIFT, ZOOM = 0.05, 0.06
"""How far from its place a crop is laid, as shares of the side and of the scale."""
LEAST = 0.55
"""Share of a side that a crop keeps, at least."""


def resaved(
    x_BCHW: torch.Tensor,
    amount: torch.Tensor,
    rng: torch.Generator,
    share: float = 1.0,
    subsampled: bool = True,
) -> torch.Tensor:
    """Return pictures changed by up to `amount` in [0, 1]; gradients pass as if they were not.

    Args:
        x_BCHW: pictures.
        amount: a tensor of one number.
        rng: for all draws.
        share: of the side, to which all are resized and back.
        subsampled: JPEG halves the colours.
    """
    x = x_BCHW.detach()
    on = {name: _uniform(x, rng) < often for name, often in OFTEN.items()}
    strength = {name: amount * _uniform(x, rng) for name in OFTEN}
    x = torch.where(_wide(on["colour"]), coloured(x, amount, rng), x)
    if share != 1:
        small = [max(16, round(share * side)) for side in x.shape[2:]]
        again = F.interpolate(x, small, mode="bilinear", antialias=True)
        again = F.interpolate(again, x.shape[2:], mode="bicubic", antialias=True)
        x = torch.where(amount * 2 > _wide(_uniform(x, rng)), again, x)
    sigma = 0.05 + BLUR * strength["blur"] * on["blur"]
    x = blurred(x, sigma[:, None].expand(-1, 2))
    grain = torch.randn(x.shape, generator=rng, device=x.device)
    x = in_bytes(x + grain * _wide(NOISE * strength["noise"] * on["noise"]))
    saved = jpeg(x, 100 - (100 - QUALITY) * strength["jpeg"], subsampled)
    x = torch.where(_wide(on["jpeg"] & (amount > 0)), saved, x)
    return x_BCHW + (x - x_BCHW).detach()


def coloured(x_BCHW: torch.Tensor, amount: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Change brightness and contrast by up to 30 %; saturation by up to 50 % more, down to none."""
    bright, contrast, saturation = (amount * (2 * _wide(_uniform(x_BCHW, rng)) - 1) for _ in "123")
    x = ((x_BCHW + 1) * (1 + 0.3 * bright)).clamp(0, 2) - 1
    middle = x.mean((1, 2, 3), keepdim=True)
    x = (middle + (x - middle) * (1 + 0.3 * contrast)).clamp(-1, 1)
    grey = x.mean(1, keepdim=True)
    return (grey + (x - grey) * (1 + 0.75 * saturation - 0.25 * amount)).clamp(-1, 1)


def jpeg(x_BCHW: torch.Tensor, quality_B: torch.Tensor, subsampled: bool) -> torch.Tensor:
    """Save as JPEG of these qualities and read again; no gradients."""
    to, back = luma_chroma(x_BCHW.device)
    steps = jpeg_steps(quality_B, 3)
    planes = torch.einsum("kc,bchw->bkhw", to, x_BCHW)
    luma, chroma = planes[:, :1], planes[:, 1:]
    size = chroma.shape[2:]
    if subsampled:
        chroma = F.avg_pool2d(chroma, 2, ceil_mode=True)
    luma, chroma = quantised(luma, steps[:, :1]), quantised(chroma, steps[:, 1:])
    if subsampled:
        chroma = F.interpolate(chroma, size, mode="bilinear")
    made = torch.einsum("ck,bkhw->bchw", back, torch.cat([luma, chroma], 1))
    return in_bytes(made)


def cropped(
    x_BCHW: torch.Tensor, amount: torch.Tensor, rng: torch.Generator, rows: int
) -> torch.Tensor:
    """Cut the first `rows` pictures, grey where nothing is left, and lay all a little amiss.

    Gradients pass to where a pixel came from.
    """
    batch, _, height, width = x_BCHW.shape
    draw = torch.rand(8, batch, 1, 1, generator=rng, device=x_BCHW.device)
    which = torch.arange(batch, device=x_BCHW.device)[:, None, None] < rows
    both = draw[0] < 0.6
    cut = (1 - LEAST) * amount * which
    tall = 1 - cut * draw[1]
    wide = 1 - cut * torch.where(both, draw[1], (draw[0] - 0.6).clamp(min=0) / 0.4)
    kept = _within(height, tall, draw[2])[:, :, None] & _within(width, wide, draw[3])[:, None, :]
    signed = amount * (2 * draw[4:, :, 0, 0] - 1)
    zoom, turn = 1 + ZOOM * signed[2:], torch.zeros_like(signed[0])
    matrix = torch.stack(
        [
            torch.stack([zoom[0], turn, 2 * SHIFT * signed[0]], 1),
            torch.stack([turn, zoom[1], 2 * SHIFT * signed[1]], 1),
        ],
        1,
    )
    places = F.affine_grid(matrix, list(x_BCHW.shape), align_corners=False)
    return F.grid_sample(x_BCHW * kept[:, None], places, align_corners=False)


def _within(length: int, share_B11: torch.Tensor, place_B11: torch.Tensor) -> torch.Tensor:
    """Return which of `length` places a part of that share holds: bool [B, length]."""
    at = (torch.arange(length, device=share_B11.device) + 0.5) / length
    start = place_B11 * (1 - share_B11)
    return ((at >= start) & (at <= start + share_B11))[:, 0]


def _uniform(like: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    return torch.rand(len(like), generator=rng, device=like.device)


def _wide(values_B: torch.Tensor) -> torch.Tensor:
    return values_B[:, None, None, None]
