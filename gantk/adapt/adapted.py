"""Wrap any code in a class that the registry can find and that is constructed with options and context."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from functools import partial
from typing import Any

from torch import nn

from gantk.adapt.calls import network_of, parameters_of, required
from gantk.adapt.losses import plain_loss
from gantk.adapt.networks import PlainDiscriminator, PlainGenerator, PlainRefiner
from gantk.adapt.noise import PlainNoise
from gantk.adapt.others import PlainAddon, PlainExtractor, PlainMetric
from gantk.calls import calling
from gantk.errors import FitError, OptionError
from gantk.kinds import KINDS, kind_named
from gantk.options import CONTEXT, write_options
from gantk.registry import registered_as

__all__ = ["accepting", "adapted", "as_part", "name_of", "parts_named"]

CONTEXTS: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "noise": (PlainNoise, ()),
    "generator": (PlainGenerator, ("image_shape", "noise_dim")),
    "discriminator": (PlainDiscriminator, ("image_shape",)),
    "refiner": (PlainRefiner, ("image_shape",)),
    "addon": (PlainAddon, ()),
    "metric": (PlainMetric, ()),
    "extractor": (PlainExtractor, ("image_shape",)),
}
"""Kind → the adapter for code that is not written for gantk, and the context that it needs."""


def name_of(thing: Any) -> str:
    """The name of a class or function, or of an instance's class."""
    if isinstance(thing, partial):
        return name_of(thing.func)
    if isinstance(thing, Mapping):
        return "-".join(dict.fromkeys(name_of(each) for each in thing.values()))
    name = getattr(thing, "__name__", None) or type(thing).__name__
    return re.sub(r"\W+", "", str(name)) or "unnamed"


def adapted(kind: str, thing: Any, name: str = "") -> type[Any]:
    """The class of a kind for some code; constructing it returns the part.

    Args:
        kind: the plugin's kind.
        thing: a class, an instance, a module or a function.
        name: its name; by default the code's own.

    Raises:
        OptionError: it cannot be a part of this kind.
    """
    base, name = kind_named(kind).base, name or name_of(thing)
    if inspect.isclass(thing) and issubclass(thing, base):
        if missing := sorted(getattr(thing, "__abstractmethods__", ())):
            raise OptionError(f"{kind} '{name}' lacks {', '.join(missing)}, which every {kind} has.")
        return thing
    if isinstance(thing, base):
        return _instance(thing)
    _refuse_others(kind, thing, name)
    if kind == "loss":
        return _loss(name, thing)
    if kind not in CONTEXTS:
        factory = None if isinstance(thing, nn.Module) else thing
    elif inspect.isclass(thing):
        factory = thing
    else:
        factory = thing if _makes(kind, thing) else None
    if factory is None and kind not in CONTEXTS:
        raise OptionError(f"{kind} '{name}' is not derived from {kind_named(kind).base_name}, as every {kind} is.")
    return _class(kind, name, thing, factory)


def as_part(kind: str, thing: Any, **context: Any) -> Any:
    """Code as a part, constructed without options."""
    if isinstance(thing, kind_named(kind).base):
        return thing
    name = name_of(thing)
    if inspect.isclass(thing):
        raise OptionError(f"{kind}: expected an instance, {name}(…), not the class.")
    made = adapted(kind, thing)
    asked = {parameter.name for parameter in parameters_of(made)} & CONTEXT
    told = {name: context.get(name) for name in asked}
    with calling(f"{kind} {name}", write_options({key: value for key, value in told.items() if value is not None})):
        return made(**told)


def parts_named(kind: str, things: Any) -> dict[str, Any]:
    """Parts by name, from a dictionary, a list or one part; by default, the name is that of the plugin or class."""
    if not things and isinstance(things, (Mapping, list, tuple, type(None))):
        return {}
    base, roles = kind_named(kind).base, {"discriminator", "generator"}
    by_role = kind == "loss" and isinstance(things, Mapping) and set(things) <= roles
    if isinstance(things, Mapping) and (not by_role or any(isinstance(each, base) for each in things.values())):
        return {name: as_part(kind, thing) for name, thing in things.items()}
    listed = list(things) if isinstance(things, (list, tuple)) else [things]
    names = [registered_as(kind, type(thing)).rpartition(":")[2] or name_of(thing) for thing in listed]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise OptionError(f"{kind} '{twice[0]}' is given twice; give them names, such as {{'NAME': {kind}, …}}.")
    return {name: as_part(kind, thing) for name, thing in zip(names, listed, strict=True)}


def accepting(stands: type[Any], thing: Any, options: Iterable[str]) -> type[Any]:
    """The class for some code; for an existing part, it also takes the options that the part was constructed with."""
    if not inspect.isclass(thing) and not (inspect.isroutine(thing) and parameters_of(stands)):
        known = parameters_of(stands)
        further = set(options) - {parameter.name for parameter in known}
        listed = [
            *known,
            *(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in sorted(further)),
        ]
        stands.__signature__ = inspect.Signature(listed)
    return stands


def _refuse_others(kind: str, thing: Any, name: str) -> None:
    own = thing if inspect.isclass(thing) else type(thing)
    for other in KINDS.values():
        if other.name not in ("addon", kind) and issubclass(own, other.base):
            raise OptionError(f"'{name}' is a {other.name}; expected a {kind}.")
    if not callable(thing) and not hasattr(thing, "sample") and not isinstance(thing, Mapping):
        raise OptionError(f"{kind}: expected a name, a class, a module or a function, not {thing!r:.80}.")


def _makes(kind: str, function: Any) -> bool:
    """Whether a function returns a network instead of being one: it can be called with only options and context."""
    if isinstance(function, nn.Module) or kind in ("noise", "metric", "addon"):
        return False
    parameters = parameters_of(function)
    return not required(function) and (bool(parameters) or inspect.isroutine(function) or isinstance(function, partial))


def _instance(part: Any) -> type[Any]:
    """A class whose first construction returns this part itself, and later ones copies of it."""
    given = [part]

    def __new__(cls: type[Any], **ignored: Any) -> Any:  # noqa: N807 - it becomes one
        return given.pop() if given else deepcopy(part)

    own = type(part)
    same = {
        "__new__": __new__,
        "__signature__": inspect.Signature(),
        "__doc__": own.__doc__,
        "__module__": own.__module__,
    }
    return types.new_class(own.__name__, (own,), exec_body=lambda space: space.update(same))


def _class(kind: str, name: str, thing: Any, factory: Callable[..., Any] | None) -> type[Any]:
    base, context = CONTEXTS.get(kind, (kind_named(kind).base, ()))
    own = [parameter.name for parameter in parameters_of(factory)] if factory else []

    def __new__(cls: type[Any], **given: Any) -> Any:  # noqa: N807 - it becomes one
        made = thing
        if factory is not None:
            made = factory(**{key: value for key, value in given.items() if key in own})
            if isinstance(made, kind_named(kind).base):
                return made
            if kind not in CONTEXTS or not (callable(made) or hasattr(made, "sample")):
                raise FitError(f"{kind} '{name}' returned {type(made).__name__}; expected a part or a network.")
        plain = type(name, (base,), {})
        network = made if kind in ("noise", "metric") else network_of(made)
        return plain(network, **{key: given[key] for key in context})

    listed = [p.replace(kind=p.KEYWORD_ONLY) for p in parameters_of(factory)] if factory else []
    listed += [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY) for key in context if key not in own]
    same = {"__new__": __new__, "__signature__": inspect.Signature(listed), "__doc__": getattr(thing, "__doc__", "")}
    return type(name, (base,), same)


def _loss(name: str, thing: Any) -> type[Any]:
    if not inspect.isclass(thing):
        return plain_loss(name, thing)
    # For a module's class, forward tells what it takes, and the constructor tells its options.
    called: Any = getattr(thing, "forward", None) or thing.__call__
    shown = plain_loss(name, _bound_to_nothing(called))
    parameters = parameters_of(thing)
    weighed = any(parameter.name == "weight" for parameter in parameters)

    def __new__(cls: type[Any], **given: Any) -> Any:  # noqa: N807 - it becomes one
        weight = {} if weighed else {"weight": given.pop("weight", 1.0)}
        return plain_loss(name, thing(**given))(**weight)

    listed = [p.replace(kind=p.KEYWORD_ONLY) for p in parameters]
    if not weighed:
        listed.append(inspect.Parameter("weight", inspect.Parameter.KEYWORD_ONLY, default=1.0, annotation=float))
    same = {"__new__": __new__, "__signature__": inspect.Signature(listed), "__doc__": thing.__doc__}
    return type(name, (shown,), same)


def _bound_to_nothing(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method as it is seen on an instance, without `self`."""
    seen = partial(method, None)
    seen.__name__ = getattr(method, "__name__", "")  # type: ignore[attr-defined]
    return seen
