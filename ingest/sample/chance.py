"""Deterministic chance: one independent stream of random numbers per subject, and smooth noise over the plane."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
TextArray = npt.NDArray[np.str_]
ShapeArray = npt.NDArray[np.object_]

LATTICE = 64
"""Nodes per side of the repeating lattice behind one octave of noise."""


def stream(seed: int, subject: str) -> np.random.Generator:
    """A generator that depends on the seed and the subject alone, so that subjects do not disturb one another."""
    return np.random.default_rng([seed, zlib.crc32(subject.encode())])


class Noise:
    """Smooth noise in about [-1, 1]: octaves of value noise on a lattice, each half as wide and weaker.

    Args:
        seed: Seed of the sample region.
        subject: What the noise is for; another subject gets other noise.
        width: Wavelength of the first octave, in the unit of the coordinates.
        octaves: How many octaves are added.
        gain: Amplitude of an octave relative to the one before.
    """

    def __init__(self, seed: int, subject: str, width: float, octaves: int = 4, gain: float = 0.5) -> None:
        """Draw the lattices."""
        chance = stream(seed, f"noise {subject}")
        self._lattices = [chance.random((LATTICE, LATTICE)) * 2.0 - 1.0 for _ in range(octaves)]
        self._shifts = chance.random((octaves, 2)) * LATTICE
        self._width = width
        self._gain = gain

    def __call__(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Noise at the points (x, y); the arrays have the same shape."""
        total = np.zeros(np.shape(x))
        amplitude, reach, width = 1.0, 0.0, self._width
        for lattice, shift in zip(self._lattices, self._shifts, strict=True):
            total += amplitude * _interpolate(lattice, x / width + shift[0], y / width + shift[1])
            reach += amplitude
            amplitude *= self._gain
            width /= 2.0
        return total / reach


def _interpolate(lattice: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    column, row = np.floor(x), np.floor(y)
    tx, ty = _ease(x - column), _ease(y - row)
    left, top = column.astype(np.int64) % LATTICE, row.astype(np.int64) % LATTICE
    right, bottom = (left + 1) % LATTICE, (top + 1) % LATTICE
    upper = lattice[top, left] * (1 - tx) + lattice[top, right] * tx
    lower = lattice[bottom, left] * (1 - tx) + lattice[bottom, right] * tx
    return np.asarray(upper * (1 - ty) + lower * ty)


def _ease(t: FloatArray) -> FloatArray:
    return np.asarray(t * t * t * (t * (t * 6.0 - 15.0) + 10.0))


def smoothstep(low: float, high: float, value: FloatArray) -> FloatArray:
    """0 below `low`, 1 above `high`, and a smooth rise between."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))
