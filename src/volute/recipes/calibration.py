"""Probabilities that mean what they say: temperature scaling and a threshold to abstain under."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15


@dataclass(frozen=True)
class Calibration:
    """What was fitted on held-out pictures, and what they say of the model."""

    temperature: float
    """The logits are divided by it."""
    threshold: float
    """Probability under which the model abstains."""
    metrics: dict[str, float]


def calibrate(logits_NK: np.ndarray, labels_N: np.ndarray, trust: float) -> Calibration:
    """Fit temperature and threshold on logits [N, K] of held-out pictures with labels [N].

    The temperature is the one of least cross entropy (Guo et al. 2017, arXiv:1706.04599, section
    4.2); the threshold is the lowest at which a share `trust` of the answers is right.
    """
    logits = logits_NK.astype(np.float64)
    temperature = _temperature(logits, labels_N)
    chances = softmax(logits / temperature)
    right = chances.argmax(1) == labels_N
    threshold = _threshold(chances.max(1), right, trust)
    answered = (chances.max(1) >= threshold) & (threshold < 1)
    return Calibration(
        temperature,
        threshold,
        {
            "held_out_accuracy": float(right.mean()),
            "held_out_pictures": len(labels_N),
            "calibration_error": calibration_error(chances, labels_N),
            "calibration_error_before": calibration_error(softmax(logits), labels_N),
            "answered": float(answered.mean()),
            "answered_accuracy": float(right[answered].mean()) if answered.any() else 1.0,
        },
    )


def softmax(logits_NK: np.ndarray) -> np.ndarray:
    """Return probabilities [N, K]."""
    shares = np.exp(logits_NK - logits_NK.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)


def calibration_error(chances_NK: np.ndarray, labels_N: np.ndarray) -> float:
    """Return the expected calibration error over 15 equal bins (Naeini et al. 2015)."""
    confidence = chances_NK.max(1)
    right = chances_NK.argmax(1) == labels_N
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gap = np.bincount(bins, confidence - right, BINS)
    return float(np.abs(gap).sum() / len(labels_N))


def _temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Search log T in [-3, 3] by golden sections of the cross entropy.

    A normal prior around T = 1 weighs as much as one picture: without it, a few held-out pictures
    that are all right would ask for T = 0.
    """
    rows, ratio = np.arange(len(labels)), (np.sqrt(5) - 1) / 2

    def loss(log_t: float) -> float:
        scaled = logits / np.exp(log_t)
        scaled = scaled - scaled.max(1, keepdims=True)
        entropy = (np.log(np.exp(scaled).sum(1)) - scaled[rows, labels]).mean()
        return float(entropy) + log_t**2 / len(labels)

    low, high = -3.0, 3.0
    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


def _threshold(confidence: np.ndarray, right: np.ndarray, trust: float) -> float:
    """Return the lowest confidence from which on a share `trust` is right; 1 if there is none."""
    order = np.argsort(-confidence, kind="stable")
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    whole = np.append(np.diff(confidence[order]) < 0, True)  # equal ones are answered together
    (good,) = np.nonzero((shares >= trust) & whole)
    return float(confidence[order[good[-1]]]) if len(good) else 1.0
