"""Constructing parts: from a kind and a spec such as `de:dim=64,sample=false` to the part itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, overload

from gantk.errors import BrokenPlugin, FitError, GantkError, OptionError
from gantk.options import check_options, context_names, parse_part
from gantk.parts import Discriminator, Generator, Loss, NoiseSource, Part, Refiner
from gantk.registry import Plugin, find

__all__ = ["BASES", "construct", "construct_plugin"]

BASES: Mapping[str, type[Part]] = {
    "noise": NoiseSource,
    "generator": Generator,
    "refiner": Refiner,
    "discriminator": Discriminator,
    "loss": Loss,
}
"""kind → what a part of this kind is."""


@overload
def construct(kind: Literal["noise"], spec: str, **context: Any) -> NoiseSource: ...
@overload
def construct(kind: Literal["generator"], spec: str, **context: Any) -> Generator: ...
@overload
def construct(kind: Literal["refiner"], spec: str, **context: Any) -> Refiner: ...
@overload
def construct(kind: Literal["discriminator"], spec: str, **context: Any) -> Discriminator: ...
@overload
def construct(kind: Literal["loss"], spec: str, **context: Any) -> Loss: ...
@overload
def construct(kind: str, spec: str, **context: Any) -> Part: ...
def construct(kind: str, spec: str, **context: Any) -> Part:
    """The part that a spec means, as in `construct("noise", "gaussian:dim=64")`.

    Args:
        kind: `noise`, `generator`, `refiner`, `discriminator` or `loss`.
        spec: a plugin's name, with options where wanted.
        context: what follows from the other parts (`image_shape`, `noise_dim`, `class_count`); the constructor gets
            what it asks for.

    Raises:
        UnknownName: nobody registers the name.
        OptionError: an option does not exist, or does not take its value.
        FitError: the part does not fit the context.
        BrokenPlugin: the plugin's code cannot be imported, fails, or makes something else than its kind.
    """
    name, options = parse_part(spec)
    return construct_plugin(find(kind, name), options, context)


def construct_plugin(plugin: Plugin, options: Mapping[str, Any], context: Mapping[str, Any]) -> Part:
    """The part that a plugin makes with these options; errors are those of `construct`."""
    what = f"{plugin.kind} '{plugin.name}'"
    factory = plugin.load()
    try:
        part = factory(**check_options(factory, options, what), **_asked_for(factory, context, what))
    except (OptionError, FitError) as error:
        # The constructor does not know the name it was called by, and a reader needs it.
        message = str(error)
        raise type(error)(message if message.startswith(what) else f"{what}: {message}") from error
    except GantkError:
        raise
    except Exception as error:
        raise BrokenPlugin(
            f"{what} of package {plugin.package} {plugin.version} cannot be constructed: "
            f"{type(error).__name__}: {error}"
        ) from error
    base = BASES[plugin.kind]
    if not isinstance(part, base):
        raise BrokenPlugin(
            f"{what} of package {plugin.package} {plugin.version} is a {type(part).__name__}, "
            f"which is not a gantk.{base.__name__}."
        )
    return part


def _asked_for(factory: Any, context: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The part of the context that a constructor asks for."""
    names = context_names(factory)
    if missing := sorted(n for n in names if context.get(n) is None):
        raise FitError(f"{what} needs {', '.join(missing)}, which no other part of this system says.")
    return {name: context[name] for name in sorted(names)}
