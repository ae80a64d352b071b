"""A generator of another program in an ONNX file is evaluated as a run is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import gantk
from gantk.errors import DataError, OptionError
from gantk.evaluation.onnx_files import onnx_source

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
FLOAT = 1


def graph(path: Path, nodes: list, inputs: list, outputs: list) -> Path:
    made = onnx.helper.make_graph(nodes, "generator", inputs, outputs)
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(made, opset_imports=opset, ir_version=8), path)
    return path


def value(name: str, *shape: object) -> object:
    return onnx.helper.make_tensor_value_info(name, FLOAT, list(shape))


def generator(path: Path, *noise: object, function: str = "Tanh") -> Path:
    """noise [N, 784] or [N, 784, 1, 1] → images [N, 1, 28, 28]."""
    shape = onnx.helper.make_node("Constant", [], ["shape"], value_ints=[-1, 1, 28, 28])
    nodes = [shape, onnx.helper.make_node("Reshape", ["z", "shape"], ["pixels"])]
    nodes.append(onnx.helper.make_node(function, ["pixels"], ["x"]))
    return graph(path, nodes, [value("z", *noise)], [value("x", noise[0], 1, 28, 28)])


@pytest.mark.parametrize("noise", [("N", 784), ("N", 784, 1, 1), (5, 784)])
def test_images_are_those_of_the_noise(tmp_path: Path, noise: tuple) -> None:
    source = onnx_source(generator(tmp_path / "g.onnx", *noise), 40)
    assert (len(source), source.image_shape) == (40, (1, 28, 28))
    pixels = source.images(range(40)).float() / 127.5 - 1
    expected = torch.tanh(torch.randn(200_000, generator=torch.Generator().manual_seed(0)))
    assert float(pixels.mean()) == pytest.approx(0, abs=0.03)
    assert float(pixels.std()) == pytest.approx(float(expected.std()), rel=0.02), "noise is standard normal"
    again = onnx_source(tmp_path / "g.onnx", 40)
    assert torch.equal(again.images(range(40)), source.images(range(40)))
    assert not torch.equal(source.images([0]), source.images([39])), "every batch has noise of its own"


def test_images_that_are_never_negative_are_in_0_to_1(tmp_path: Path) -> None:
    source = onnx_source(generator(tmp_path / "g.onnx", "N", 784, function="Sigmoid"), 64)
    assert float(source.images(range(64)).float().mean()) == pytest.approx(127.5, abs=1)


def test_noise_and_seed_are_options(tmp_path: Path) -> None:
    path = generator(tmp_path / "g.onnx", "N", 784)
    uniform = onnx_source(f"{path}:noise=uniform", 64).images(range(64)).float() / 127.5 - 1
    assert float(uniform.abs().max()) <= 0.77, "tanh(1) = 0.7616"
    one, other = (onnx_source(f"{path}:seed={seed}", 4).images(range(4)) for seed in (1, 2))
    assert not torch.equal(one, other)
    with pytest.raises(OptionError, match=r"has no option 'nois'. Did you mean 'noise'"):
        onnx_source(f"{path}:nois=uniform", 4)
    with pytest.raises(OptionError, match="expected gaussian or uniform"):
        onnx_source(f"{path}:noise=cauchy", 4)


def test_it_is_evaluated_and_its_scores_stand_beside_it(tmp_path: Path) -> None:
    path = generator(tmp_path / "g.onnx", "N", 784)
    found = gantk.evaluate(str(path), metrics=["diversity"], data="digits", n=50)
    assert found[0].figures["diversity"] > 0
    assert found[0].protocol.generated.images == 50
    assert (tmp_path / "g.onnx.metrics.json").exists()


@pytest.mark.parametrize(
    ("inputs", "outputs", "said"),
    [
        ([("z", "N", 784), ("label", "N", 784)], [("x", "N", 784)], "expected one input, noise"),
        ([("z", "N", 28, 28)], [("x", "N", 28, 28)], "expected one input, noise"),
        ([("z", "N", "dim")], [("x", "N", "dim")], "expected one input, noise"),
        ([("z", "N", 784)], [("x", "N", 784)], "expected finite images"),
    ],
)
def test_what_is_no_generator_of_images_is_one_line(tmp_path: Path, inputs: list, outputs: list, said: str) -> None:
    nodes = [onnx.helper.make_node("Tanh", ["z"], ["x"])]
    path = graph(tmp_path / "g.onnx", nodes, [value(*each) for each in inputs], [value(*each) for each in outputs])
    with pytest.raises(DataError, match=said) as error:
        onnx_source(path, 4)
    assert "\n" not in str(error.value)


def test_a_damaged_or_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"g\.onnx: no such file\.$"):
        gantk.evaluate(str(tmp_path / "g.onnx"), metrics=["diversity"], data="digits", n=50)
    (tmp_path / "g.onnx").write_bytes(b"\x08\x09not a graph")
    with pytest.raises(DataError, match=r"g\.onnx: not an ONNX file"):
        onnx_source(tmp_path / "g.onnx", 4)
