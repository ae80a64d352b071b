"""Construction: from a plugin's name and options to a part, with the context that its constructor asks for."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Literal, overload

from gantk.building.named import part_named
from gantk.data import DataSource
from gantk.errors import BrokenPlugin, FitError, GantkError, OptionError
from gantk.kinds import kind_named
from gantk.options import CONTEXT, check_options, context_names
from gantk.parts import Discriminator, Generator, Loss, NoiseSource, Refiner
from gantk.recipe import Recipe
from gantk.registry import PYTHON, find

__all__ = ["construct", "part_class"]

PartSpec = str | Mapping[str, Any]
"""One part: `"name:option=value"` or `{"plugin": name, option: value}`."""


def part_class(kind: str, name: str) -> Any:
    """The class of a plugin name.

    Raises:
        UnknownName: there is no such plugin.
        BrokenPlugin: it cannot be imported, or is not a subclass of what its kind asks for.
    """
    plugin = find(kind, name)
    found = plugin.load()
    asked = kind_named(kind)
    if not (inspect.isclass(found) and issubclass(found, asked.base)):
        raise BrokenPlugin(
            f"{kind} '{name}' of package {plugin.package} {plugin.version} is {found!r:.80}, "
            f"not a subclass of {asked.base_name}."
        )
    return found


@overload
def construct(kind: Literal["noise"], spec: PartSpec, **context: Any) -> NoiseSource: ...
@overload
def construct(kind: Literal["generator"], spec: PartSpec, **context: Any) -> Generator: ...
@overload
def construct(kind: Literal["refiner"], spec: PartSpec, **context: Any) -> Refiner: ...
@overload
def construct(kind: Literal["discriminator"], spec: PartSpec, **context: Any) -> Discriminator: ...
@overload
def construct(kind: Literal["loss"], spec: PartSpec, **context: Any) -> Loss: ...
@overload
def construct(kind: Literal["data"], spec: PartSpec, **context: Any) -> DataSource: ...
@overload
def construct(kind: Literal["recipe"], spec: PartSpec, **context: Any) -> Recipe: ...
@overload
def construct(kind: str, spec: PartSpec, **context: Any) -> Any: ...
def construct(kind: str, spec: PartSpec, **context: Any) -> Any:
    """Construct a part from its spec, such as `construct("noise", "gaussian:dim=64")`.

    Args:
        kind: the plugin's kind.
        spec: `"name:option=value"` or `{"plugin": name, option: value}`; for data, a folder's or file's path as well.
        context: values that are determined by other parts (`image_shape`, `noise_dim`, `class_count`); the constructor
            gets those that it has arguments for.

    Raises:
        UnknownName: the name is not registered.
        OptionError: an option does not exist, or does not accept its value.
        FitError: the part does not fit the context.
        BrokenPlugin: the plugin's code cannot be imported, fails, or is not of this kind.
    """
    if isinstance(spec, str):
        name, options = part_named(kind, spec)
    elif not isinstance(spec, Mapping) or not isinstance(spec.get("plugin"), str):
        raise OptionError(f"{kind}: expected 'name', 'name:option=value' or {{'plugin': 'name', …}}, not {spec!r:.80}.")
    else:
        name, options = spec["plugin"], {key: value for key, value in spec.items() if key != "plugin"}
    factory = part_class(kind, name)
    what = f"{kind} '{name.rpartition(':')[2]}'"
    if unknown := sorted(context.keys() - CONTEXT):
        raise OptionError(f"{what}: {unknown[0]} is not a context argument; use '{name}:{unknown[0]}=…' for options.")
    checked = check_options(factory, options, what)
    asked = _asked_for(factory, context, what)
    try:
        return factory(**asked, **checked)
    except (OptionError, FitError) as error:
        # The constructor does not know the plugin's name, which the message needs.
        if str(error).startswith((what, what.replace("'", ""))):
            raise
        raise error.about(what) if isinstance(error, FitError) else OptionError(f"{what}: {error}") from error
    except GantkError:
        raise
    except Exception as error:
        plugin = find(kind, name)
        package = "" if plugin.package == PYTHON else f" of package {plugin.package} {plugin.version}"
        raise BrokenPlugin(f"{what}{package} failed: {type(error).__name__}: {error}") from error


def _asked_for(factory: Any, context: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The context arguments of a constructor."""
    names = context_names(factory)
    shape = context.get("image_shape")
    if shape is not None and not (
        isinstance(shape, (tuple, list)) and len(shape) == 3 and all(isinstance(n, int) and n > 0 for n in shape)
    ):
        raise FitError(f"{what}: image_shape is (channels, height, width), not {shape!r:.80}.")
    dim = context.get("noise_dim")
    if dim is not None and (not isinstance(dim, int) or dim < 1):
        raise FitError(f"{what}: noise_dim is a whole number of 1 or more, not {dim!r:.80}.")
    known = {name for name in names if context.get(name) is not None}
    if missing := sorted(context_names(factory, required=True) - known):
        raise FitError(f"{what} needs {', '.join(missing)}, which no other part supplies.")
    return {name: context[name] for name in sorted(known)}
