"""What a page shows of a run that may be incomplete, damaged or by anybody: the thing itself, or why it is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gantk.errors import GantkError, Interrupted, briefly

__all__ = ["Shown", "attempted"]

T = TypeVar("T")


@dataclass(frozen=True)
class Shown(Generic[T]):
    """Something to show, or the reason why it cannot be shown."""

    value: T | None
    why: str = ""


def attempted(make: Callable[[], T], why: str = "") -> Shown[T]:
    """Make something of a run; whatever fails becomes a line of text.

    Args:
        make: makes it.
        why: what is said if there is nothing to show, and it makes something empty.
    """
    try:
        found = make()
    except (Interrupted, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - parts run here that anybody wrote, on files that anybody wrote
        said = briefly(error) if isinstance(error, GantkError) else f"{type(error).__name__}: {briefly(error)}"
        return Shown(None, f"{said}.")
    return Shown(found) if found or not why else Shown(None, why)
