"""PNG files of every kind, written by the standard (ISO/IEC 15948) and by nothing else, and what they show."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
DEPTHS = {GRAY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GRAY_ALPHA: (8, 16), RGBA: (8, 16)}

ADAM7 = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))
"""First row, step down, first column and step right of each pass."""


@dataclass(frozen=True)
class Picture:
    """Samples `[H, W, channels]` of a color type and bit depth, with what makes pixels transparent."""

    kind: int
    depth: int
    samples: np.ndarray
    clear: tuple[int, ...] | None = None
    palette: np.ndarray | None = None
    alphas: np.ndarray | None = None
    exif: bytes = b""
    interlaced: bool = False

    def encoded(self) -> bytes:
        height, width = self.samples.shape[:2]
        chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, self.depth, self.kind, 0, 0, self.interlaced))]
        if self.exif:
            chunks.append((b"eXIf", self.exif))
        if self.palette is not None:
            chunks.append((b"PLTE", self.palette.astype(np.uint8).tobytes()))
        if self.clear is not None:
            chunks.append((b"tRNS", b"".join(struct.pack(">H", value) for value in self.clear)))
        if self.alphas is not None:
            chunks.append((b"tRNS", self.alphas.astype(np.uint8).tobytes()))
        passes = ADAM7 if self.interlaced else ((0, 1, 0, 1),)
        rows = b"".join(self._rows(self.samples[top::down, left::right]) for top, down, left, right in passes)
        chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks
        )

    def _rows(self, samples: np.ndarray) -> bytes:
        if 0 in samples.shape:
            return b""
        bits = (samples.reshape(len(samples), -1, 1) >> np.arange(self.depth - 1, -1, -1)) & 1
        packed = np.packbits(bits.reshape(len(samples), -1).astype(np.uint8), axis=1)
        return b"".join(b"\0" + row.tobytes() for row in packed)

    def shown(self) -> np.ndarray:
        """Red, green, blue and alpha of every pixel, `[H, W, 4]` in [0, 1]."""
        if self.palette is not None:
            alphas = np.full(len(self.palette), 255)
            if self.alphas is not None:
                alphas[: len(self.alphas)] = self.alphas
            return np.concatenate([self.palette, alphas[:, None]], axis=1)[self.samples[..., 0]] / 255
        values = self.samples / (2**self.depth - 1)
        has_alpha = self.kind in (GRAY_ALPHA, RGBA)
        colors = values[..., :-1] if has_alpha else values
        alpha = values[..., -1:] if has_alpha else np.ones_like(values[..., :1])
        if self.clear is not None:
            alpha = 1.0 - (self.samples == np.array(self.clear)).all(axis=2, keepdims=True)
        return np.concatenate([np.broadcast_to(colors, (*alpha.shape[:2], 3)), alpha], axis=2)


def pictures() -> dict[str, Picture]:
    """Every color type, bit depth and way of being transparent."""
    found: dict[str, Picture] = {}
    rng = np.random.default_rng(0)
    for kind, depths in DEPTHS.items():
        for depth in depths:
            most = 2**depth - 1
            samples = rng.integers(0, most + 1, (6, 7, CHANNELS[kind]))
            name = f"{ {0: 'gray', 2: 'rgb', 3: 'palette', 4: 'gray-alpha', 6: 'rgba'}[kind] }-{depth}"
            if kind == PALETTE:
                colors = rng.integers(0, 256, (most + 1, 3))
                one = np.where(np.arange(most + 1) == 1, 0, 255)
                for alphas, how in ((None, "opaque"), (one, "one clear"), (rng.integers(0, 256, most + 1), "alphas")):
                    found[f"{name}, {how}"] = Picture(kind, depth, samples, palette=colors, alphas=alphas)
                found[f"{name}, first alpha"] = Picture(kind, depth, samples, palette=colors, alphas=np.array([7]))
                continue
            found[name] = Picture(kind, depth, samples)
            if kind in (GRAY, RGB):
                # One pixel differs from the clear color in its last bit only.
                samples[1, 1] = samples[0, 0] ^ 1
                found[f"{name}, clear"] = Picture(kind, depth, samples, clear=tuple(map(int, samples[0, 0])))
                found[f"{name}, clear nowhere"] = Picture(kind, depth, samples % most, clear=(most,) * CHANNELS[kind])
    return found
