"""Checkpoints of earlier versions, whose `training.pt` torch reads with `weights_only`: nothing in it can run code."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import Any

import torch

from gantk import json_text

__all__ = ["TRAINING_PT", "former_training"]

TRAINING_PT = "training.pt"


def former_training(content: bytes) -> dict[str, Any]:
    """What `training.pt` says, as `training.json` and `optimizers.safetensors` say it.

    Raises:
        ValueError: it is damaged.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as packed:
            if sum(each.file_size for each in packed.infolist()) > len(content):
                raise ValueError("it unpacks to more than it is")
        state: dict[str, Any] = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        interval = dict(state.get("interval", {}))
        interval["sums"] = {name: float(value) for name, value in interval.get("sums", {}).items()}
        return {
            "place": dict(state["place"]),
            "optimizers": {str(player): _states(each["state"]) for player, each in state["optimizers"].items()},
            "trained": json_text.loads(state["trained"]),
            "data": dict(json_text.loads(state.get("data", "{}"))),
            "interval": interval,
        }
    except Exception as error:  # a damaged pickle can raise anything
        # torch's own message suggests loading the file in a way that can run code.
        raise ValueError(f"torch cannot read it ({type(error).__name__})") from error


def _states(found: Any) -> dict[int, dict[str, Any]]:
    """Number of a parameter → name → value."""
    states = {number: dict(values) for number, values in found.items()}
    if not all(type(number) is int and all(isinstance(name, str) for name in each) for number, each in states.items()):
        raise ValueError("states are of parameters by their numbers")
    return states
