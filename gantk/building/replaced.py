"""What becomes of the options that a recipe gives a part, where a user chooses a part in its place."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gantk.building.construct import part_class
from gantk.building.resolved import plain
from gantk.building.spec import SINGLE, Spec, bare_name
from gantk.kinds import KINDS, LISTS
from gantk.options import read_options, typed_options, write_options, write_part

__all__ = ["notes_on_replaced"]

Table = Mapping[str, Any]


def notes_on_replaced(recipe: Spec, chosen: Mapping[str, Any], spec: Spec) -> list[str]:
    """Sentences on options that a recipe gives a part: those that a user's choice keeps, and those that it drops.

    Args:
        recipe: the recipe's spec, without what the user left out.
        chosen: the user's own parts, as tables, by kind.
        spec: the resolved spec of both.
    """
    kept, notes = dict(_kept(recipe, chosen)), []
    for kind in SINGLE:
        if kind in recipe and kind in chosen and kind in spec and recipe[kind]["plugin"] != chosen[kind]["plugin"]:
            notes += [f"{said}." for said in _dropped(kind, recipe[kind], chosen[kind], spec[kind])]
    for kind in LISTS:
        notes += _of_list(kind, recipe.get(kind, []), chosen.get(kind, []), spec.get(kind, []))
    if not kept:
        return notes
    of = " and ".join(filter(None, (", ".join([*kept][:-1]), [*kept][-1]))) + " of the recipe"
    return [f"{of}; {next(iter(kept.values()))} starts from its own defaults.", *notes]


def _of_list(kind: str, recipe: Sequence[Table], chosen: Sequence[Table], spec: Sequence[Table]) -> Iterator[str]:
    before, after = ({table["plugin"]: table for table in tables} for tables in (recipe, spec))
    mine = {table["plugin"] for table in chosen}
    gone = [old for plugin, old in before.items() if plugin not in after]
    anew = [new for new in chosen if new["plugin"] not in before and new["plugin"] in after]
    said: list[str] = []
    for old, new in zip(gone, anew, strict=False):  # an adversarial loss replaces the recipe's, and a game has one
        said += _dropped(kind, old, new, after[new["plugin"]])
    others = [old for plugin, old in before.items() if plugin in after and plugin not in mine]
    stay = [write_part(bare_name(old), options) for old in others if (options := _options(kind, old))]
    weighed = any("weight" in table for table in chosen if table["plugin"] in before)
    if stay and (said or weighed):
        said.append(f"of the recipe, {kind} {' and '.join(stay)} {'stays' if len(stay) == 1 else 'stay'} as before")
    yield from [f"{'; '.join(said)}."] if said else []


def _kept(recipe: Spec, chosen: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a user's part keeps of the same plugin in the recipe, and how it is had without that."""
    for kind in (*SINGLE, *LISTS):
        for old, new in itertools.product(_tables(recipe, kind), _tables(chosen, kind)):
            same = old["plugin"] == new["plugin"]
            if same and (kept := {name: value for name, value in _options(kind, old).items() if name not in new}):
                name = bare_name(old)
                anew = f"--without {kind if kind not in LISTS else f'{kind}.{name}'} {KINDS[kind].flag} …"
                yield f"{kind} {name} keeps {write_options(kept)}", anew


def _tables(spec: Mapping[str, Any], kind: str) -> Sequence[Table]:
    listed = spec.get(kind, [])
    return [listed] if isinstance(listed, Mapping) else listed


def _dropped(kind: str, old: Table, new: Table, final: Table) -> Iterator[str]:
    """Another plugin: its own options, but for those that happen to be the same."""
    known = read_options(part_class(kind, new["plugin"]))
    rest = {n: v for n, v in _typed(kind, old).items() if n not in new and str(plain(final.get(n))) != str(v)}
    if not rest:
        return
    names = f"{kind} {bare_name(new)} replaces the recipe's {bare_name(old)}"
    again = write_part(bare_name(new), {name: value for name, value in rest.items() if name in known})
    keeping = f" ({KINDS[kind].flag} {again} would keep it)" if rest.keys() & known.keys() else ""
    yield f"{names} and drops its {write_options(rest)}{keeping}"


def _options(kind: str, table: Table) -> dict[str, Any]:
    """The options of a table that are not the plugin's own defaults."""
    known = read_options(part_class(kind, table["plugin"]))
    return {n: v for n, v in _typed(kind, table).items() if str(plain(known[n].default)) != str(v)}


def _typed(kind: str, table: Table) -> dict[str, Any]:
    """The options of a table, each of its own type, however it was written."""
    given = {name: value for name, value in table.items() if name != "plugin"}
    typed = typed_options(part_class(kind, table["plugin"]), given, f"{kind} '{bare_name(table)}'")
    return {name: plain(value) for name, value in typed.items()}
