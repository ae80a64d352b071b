"""The changes of a run's settings, with their steps, in `history.toml`.

`model.toml` has the current settings; those of an earlier step are found by undoing the changes since then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import Any

import tomli_w

from gantk import toml
from gantk.errors import RunError
from gantk.files import read_whole, text_of
from gantk.run.folder import Run

__all__ = ["Change", "add_change", "as_toml", "difference", "leaves", "read_history", "undone"]

HEAD = b"# What was changed in this run, and after which step. gantk train writes this file and reads it to resume.\n\n"


@dataclass(frozen=True)
class Change:
    """Settings that were replaced.

    Args:
        step: number of finished steps when the change was made.
        was: the former values, in the tables of `model.toml`; without settings that did not exist.
        now: the new values.
        time: time of the change, in UTC.
    """

    step: int
    was: Mapping[str, Any]
    now: Mapping[str, Any]
    time: str = ""


def read_history(run: Run) -> list[Change]:
    """The changes of a run, oldest first.

    Raises:
        RunError: the file is damaged.
    """
    path = run.path / "history.toml"
    try:
        found = toml.loads(text_of(read_whole(path)))["change"]
        return [_change(each) for each in found]
    except FileNotFoundError:
        return []
    except (toml.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error}): restore it as gantk train wrote it.") from error
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}.") from error


def _change(table: Mapping[str, Any]) -> Change:
    step, was, now = table["step"], table["was"], table["now"]
    if type(step) is not int or step < 0 or not isinstance(was, Mapping) or not isinstance(now, Mapping):
        raise ValueError(f"a change is of step {step!r:.20}")
    return Change(step, was, now, str(table.get("time", "")))


def add_change(run: Run, change: Change) -> list[Change]:
    """Append a change. Changes at later steps, from a training that went further before, are moved to this step.

    Returns:
        all changes.
    """
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    before = [replace(each, step=min(each.step, change.step)) for each in read_history(run)]
    changes = [*before, replace(change, time=now)]
    content = tomli_w.dumps({"change": [asdict(each) for each in changes]}).encode()
    run.write(run.path / "history.toml", HEAD + content)
    return changes


def as_toml(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A spec as it is read again once it is written, so that it can be compared with one of a run."""
    return {key: _read_again(value) for key, value in spec.items()}


def _read_again(value: Any) -> Any:
    if isinstance(value, Mapping):
        return as_toml(value)
    return [_read_again(each) for each in value] if isinstance(value, list | tuple) else value


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entries in which two nested tables differ: those of the first, and those of the second."""
    was: dict[str, Any] = {}
    now: dict[str, Any] = {}
    for key in dict.fromkeys([*before, *after]):
        one, other = before.get(key), after.get(key)
        if one == other:
            continue
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            was[key], now[key] = difference(one, other)
            continue
        if key in before:
            was[key] = one
        if key in after:
            now[key] = other
    return was, now


def undone(spec: Mapping[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    """The spec before these changes, which are given oldest first."""
    found = deepcopy(dict(spec))
    for change in reversed(changes):
        _put_back(found, change.was, change.now)
    return found


def _put_back(table: dict[str, Any], was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for key in dict.fromkeys([*was, *now]):
        inner = table.get(key)
        if isinstance(was.get(key), Mapping) and isinstance(now.get(key), Mapping) and isinstance(inner, dict):
            _put_back(inner, was[key], now[key])
        elif key in was:
            table[key] = deepcopy(was[key])
        else:
            table.pop(key, None)


def leaves(table: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Nested tables as `{"stages.game.length": "5 epochs", …}`."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        inner = f"{path}.{key}" if path else str(key)
        found |= leaves(value, inner) if isinstance(value, Mapping) else {inner: value}
    return found
