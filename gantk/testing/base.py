"""Tests that all contracts share: construction through the registry, and the documentation of plugins."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from gantk.building.construct import construct, part_class
from gantk.errors import FitError, UnknownName
from gantk.kinds import KINDS
from gantk.options import Option, convert, parse_part, read_options
from gantk.parts import ImageShape, Part
from gantk.registry import find

__all__ = ["PartContract", "PluginContract", "ShapedContract", "close"]


def close(found: Tensor, expected: Tensor, message: str) -> None:
    """Assert that two tensors are equal up to rounding; the difference is appended to the message."""
    torch.testing.assert_close(
        found, expected, rtol=1e-4, atol=1e-5, msg=lambda differences: f"{message} {differences}"
    )


class PluginContract:
    """Tests for plugins of every kind."""

    kind: ClassVar[str]
    plugin: ClassVar[str]
    """The plugin under test, as on the command line: `name` or `name:option=value`."""

    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        self._check_installed()

    def _check_installed(self) -> None:
        try:
            find(self.kind, parse_part(self.plugin)[0])
        except UnknownName as error:
            pytest.fail(
                f"{error} Contracts find plugins by their entry points: install the package with `pip install -e .`, "
                "and again whenever its entry points change.",
                pytrace=False,
            )

    @pytest.fixture(autouse=True)
    def _alike(self) -> Iterator[None]:
        """Run every test with the same random seed on one thread, and restore both afterwards."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # for tensors this small, more threads are slower
        with torch.random.fork_rng():
            torch.manual_seed(0)
            yield
        torch.set_num_threads(threads)

    @property
    def _factory(self) -> Any:
        return part_class(self.kind, parse_part(self.plugin)[0])

    @property
    def _options(self) -> dict[str, Option]:
        return read_options(self._factory)

    def _make(self, seed: int = 0, options: dict[str, Any] | None = None, **context: Any) -> Any:
        """Construct the plugin as the command line does; `options` override those of `plugin`."""
        name, given = parse_part(self.plugin)
        torch.manual_seed(seed)
        return construct(self.kind, {"plugin": name, **given, **(options or {})}, **context)

    def test_has_a_first_line(self) -> None:
        assert vars(self._factory).get("__doc__"), (
            f"{self._factory.__name__} has no docstring; `gantk list` shows its first line. Describe the plugin."
        )

    def test_every_option_is_documented(self) -> None:
        bare = [option.name for option in self._options.values() if not option.doc]
        assert not bare, (
            f"{', '.join(bare)}: not documented; `gantk show` prints the documentation. Add a line "
            "`name: what it does, and its range.` for each option under `Args:` in the class's docstring."
        )

    def test_every_option_has_a_type(self) -> None:
        bare = [option.name for option in self._options.values() if option.type is inspect.Parameter.empty]
        assert not bare, (
            f"{', '.join(bare)}: no type; the command line checks and converts values by their types. "
            "Annotate the constructor's arguments."
        )

    def test_every_default_is_of_its_type(self) -> None:
        for option in self._options.values():
            if not option.required:
                kept = convert(option.default, option.type, f"default of {option.name}")
                assert kept == option.default, (
                    f"default of {option.name}: {option.default!r} becomes {kept!r} when converted to "
                    f"{option.type_name}, so a preset that contains it would differ. Use a default of the annotated "
                    "type."
                )


class PartContract(PluginContract):
    """Tests for all parts: plugins that are modules."""

    def _part(self) -> Part:
        raise NotImplementedError

    def test_attributes_leave_its_methods_alone(self) -> None:
        part = self._part()
        own = {**vars(part), **part._modules, **part._buffers, **part._parameters}
        public = [name for name in dir(KINDS[self.kind].base) if not name.startswith("_")]
        hidden = [n for n in public if n in own and callable(getattr(KINDS[self.kind].base, n))]
        assert not hidden, (
            f"self.{', self.'.join(hidden)} hides the method of the same name, which gantk calls; rename the attribute."
        )

    def test_can_be_copied(self) -> None:
        part = self._part()
        expected, found = part.state_dict(), copy.deepcopy(part).state_dict()
        assert found.keys() == expected.keys(), f"a deep copy has the entries {[*found]}; expected {[*expected]}."
        for name, value in expected.items():
            close(found[name], value, f"{name} differs in a deep copy; copy tensors, and do not draw them again.")

    def test_state_holds_tensors_only(self) -> None:
        others = [name for name, value in self._part().state_dict().items() if not isinstance(value, Tensor)]
        assert not others, (
            f"{', '.join(others)} in the state_dict are not tensors, but checkpoints contain only tensors and are "
            "never unpickled. Use buffers, or compute these values from options."
        )

    def test_what_it_moves_is_its_own(self) -> None:
        part, root = self._part(), nn.Module()
        root.add_module("part", part)
        for stage in part.stages("part"):
            for path in stage.moves():
                assert path == "part" or path.startswith("part."), (
                    f"stage '{stage.name}' moves '{path}', which is not part of '{part.__class__.__name__}'; "
                    "start paths with the `path` that stages() receives."
                )
                root.get_submodule(path)


class ShapedContract(PartContract):
    """Tests for parts that depend on the image shape; every test runs for each of `shapes`."""

    shapes: ClassVar[tuple[ImageShape, ...]] = ((1, 28, 28), (3, 32, 32), (4, 96, 64), (1, 33, 17))
    noise_dim: ClassVar[int] = 16
    class_count: ClassVar[int] = 10
    condition_dim: ClassVar[int] = 3

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test that asks for a `shape` once per shape."""
        if "shape" in metafunc.fixturenames and metafunc.cls is not None:
            metafunc.parametrize("shape", metafunc.cls.shapes, ids=lambda shape: "x".join(map(str, shape)))

    @property
    def _context(self) -> dict[str, Any]:
        return {
            "noise_dim": self.noise_dim,
            "class_count": self.class_count,
            "condition_dim": self.condition_dim,
        }

    def _built(self, shape: ImageShape, seed: int = 0, options: dict[str, Any] | None = None) -> Any:
        """The part for a shape; skips the test if the part refuses the shape with `FitError`."""
        try:
            return self._make(seed, options, image_shape=shape, **self._context)
        except FitError as refusal:
            pytest.skip(f"refused: {refusal}")

    def _part(self) -> Part:
        refusals = []
        for shape in self.shapes:
            try:
                part: Part = self._make(image_shape=shape, **self._context)
                return part
            except FitError as refusal:
                refusals.append(f"{shape}: {refusal}")
        raise AssertionError(
            "the part refuses every shape; support at least one, or set `shapes`. " + "; ".join(refusals)
        )

    def _images(self, shape: ImageShape, n: int = 4, seed: int = 1) -> Tensor:
        """Images with values uniform in [-1, 1]."""
        return torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1

    def test_takes_some_shape(self) -> None:
        self._part()

    def test_keeps_its_weights(self, shape: ImageShape) -> None:
        one, other = self._built(shape, seed=0), self._built(shape, seed=1)
        found = other.load_state_dict(one.state_dict(), strict=False)
        assert not found.missing_keys + found.unexpected_keys, (
            f"two parts with the same options have different state_dicts: {found}; checkpoints could not be loaded. "
            "Create the same modules every time."
        )
        expected, loaded = self._probe(one.eval(), shape), self._probe(other.eval(), shape)
        for name, value in expected.items():
            close(
                loaded[name],
                value,
                f"{name} differs after the weights were loaded into another instance; keep everything that it computes "
                "with in parameters or buffers.",
            )

    def _probe(self, part: Any, shape: ImageShape) -> dict[str, Tensor]:
        """The outputs of the part, by name, with the same random numbers at each call."""
        raise NotImplementedError
