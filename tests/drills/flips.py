"""No flipped bit in a checkpoint is accepted in silence.

python tests/drills/flips.py --flips 2000
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import gantk
from gantk.errors import CheckpointError
from gantk.run.checkpoints import read_training, read_weights
from gantk.run.folder import Run
from gantk.training.progress import Silent


def drill(checkpoint: Path, flips: int, seed: int = 0) -> tuple[Counter[str], Counter[str]]:
    """Flip single bits of a checkpoint's files, one at a time, evenly over the files.

    Returns:
        the number of flips by file, and the number of those that were accepted.
    """
    rng = random.Random(seed)
    names = sorted(path.name for path in checkpoint.iterdir())
    tried, accepted = Counter[str](), Counter[str]()
    for number in range(flips):
        name = names[number % len(names)]
        path, reader = checkpoint / name, _reader(name)
        whole = path.read_bytes()
        bit = rng.randrange(8 * len(whole))
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        tried[name] += 1
        try:
            reader(checkpoint)
            accepted[name] += 1
        except CheckpointError:
            pass
        finally:
            path.write_bytes(whole)
    return tried, accepted


def _reader(name: str) -> Callable[[Path], object]:
    return read_weights if name == "model.safetensors" else read_training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flips", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        short = {"stages.game.length": "4 steps", "stages.game.batch_size": 8}
        model = gantk.build(
            "dcgan", data="digits", generator="dcgan:width=4", discriminator="dcgan:width=4", settings=short
        )
        gantk.train(model, Path(folder, "run"), progress=Silent())
        tried, accepted = drill(Run(Path(folder, "run")).latest(), args.flips, args.seed)
    for name, count in sorted(tried.items()):
        print(f"{name}: {count} flips, {accepted[name]} accepted")
    print(f"{sum(tried.values())} flips, {sum(accepted.values())} accepted")
    raise SystemExit(bool(accepted))


if __name__ == "__main__":
    main()
