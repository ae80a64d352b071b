"""Options: what the command line, TOML and Python write comes to the same, or is refused with the mend."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from gantk.errors import OptionError
from gantk.options import (
    check_options,
    context_names,
    convert,
    parse_part,
    read_options,
    type_name,
)
from gantk.written import Written, parse_value, write_part


class Part:
    """A part with options of many types.

    Text that belongs to no option.

    Args:
        dim: how many numbers, at least 1;
            a second line of the same.
        sample: whether to draw.
        norm: which normalization.

    Raises:
        ValueError: never.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        noise_dim: int,
        *,
        dim: int,
        sample: bool = True,
        norm: Literal["l1", "l2"] = "l2",
        widths: tuple[int, ...] | None = None,
        **others: Any,
    ) -> None:
        pass


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("de", ("de", {})),
        (" de ", ("de", {})),
        ("wgan-gp", ("wgan-gp", {})),
        ("de:", ("de", {})),
        ("de:dim=64,sample=false", ("de", {"dim": "64", "sample": "false"})),
        ("de: dim = 64 ", None),
        ("de:dim= 64 , sample = false", ("de", {"dim": "64", "sample": "false"})),
        ("package:de", ("package:de", {})),
        ("my-package:de:dim=64", ("my-package:de", {"dim": "64"})),
        ("adam:lr=1e-3,betas=[0.5, 0.9]", ("adam", {"lr": "1e-3", "betas": "[0.5, 0.9]"})),
        ("de:autoencoder='vae:width=8,dropout=0'", ("de", {"autoencoder": "'vae:width=8,dropout=0'"})),
        ("de:autoencoder=vae:width=8", ("de", {"autoencoder": "vae:width=8"})),
        ("folder:path=/data/a b", ("folder", {"path": "/data/a b"})),
        ("folder:path=C:\\data", ("folder", {"path": "C:\\data"})),
        ("a:x={b = 1, c = 2},y=3", ("a", {"x": "{b = 1, c = 2}", "y": "3"})),
        ("a:x=", ("a", {"x": ""})),
        ("a:x=b=c", ("a", {"x": "b=c"})),
        ("a:x=b,c,size=16", ("a", {"x": "b,c", "size": "16"})),
        ("a:x=b, c ,", ("a", {"x": "b, c"})),
        ("a:x=Ann's photos,size=16", ("a", {"x": "Ann's photos", "size": "16"})),
        ("a:x=Ann's and Bob's,size=16", ("a", {"x": "Ann's and Bob's", "size": "16"})),
        ("a:x='90s,y=the '80s,size=16", ("a", {"x": "'90s", "y": "the '80s", "size": "16"})),
        ('a:x="b,y=3",size=16', ("a", {"x": '"b,y=3"', "size": "16"})),
        ("a:x=b (1, y=3),size=16", ("a", {"x": "b (1", "y": "3)", "size": "16"})),
        ("a:x=[b] c,size=16", ("a", {"x": "[b] c", "size": "16"})),
        ("a:x=:[,size=16", ("a", {"x": ":[", "size": "16"})),
        ("a:x=[,size=16", ("a", {"x": "[", "size": "16"})),
        ("a:x=" + "[" * 500, ("a", {"x": "[" * 500})),
        ("a:x=vae:table={b = 1, c = 2},y=3", ("a", {"x": "vae:table={b = 1, c = 2}", "y": "3"})),
        ('a:x=[Ann\'s, "b,y=3"],y=3', ("a", {"x": '[Ann\'s, "b,y=3"]', "y": "3"})),
    ],
)
def test_parse_part(text: str, expected: tuple[str, dict[str, Any]] | None) -> None:
    if expected is None:
        with pytest.raises(OptionError):
            parse_part(text)
    else:
        assert parse_part(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not name a plugin"),
        (":dim=3", "does not name a plugin"),
        ("dim=3", "does not name a plugin"),
        ("de,dim=3", "does not name a plugin"),
    ],
)
def test_parse_part_refuses(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_part(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-1", -1),
        ("0.5", 0.5),
        ("true", True),
        ("True", "True"),
        ("none", "none"),
        ("vae", "vae"),
        ('"3"', "3"),
        ("[1, 2]", [1, 2]),
        ("2018-07-10x", "2018-07-10x"),
        ("1\nb = 2", "1\nb = 2"),
        ("1]\nb = [2", "1]\nb = [2"),
        ("0#ff", "0#ff"),
        ("1, 2", "1, 2"),
        ("", ""),
    ],
)
def test_parse_value(text: str, value: object) -> None:
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "to", "expected"),
    [
        (3, int, 3),
        ("3", int, 3),
        (3.0, int, 3),
        (3, float, 3.0),
        ("1e-3", float, 1e-3),
        ("yes", bool, True),
        ("False", bool, False),
        ("l1", Literal["l1", "l2"], "l1"),
        (2, Literal[1, 2], 2),
        (2.0, Literal[1, 2], 2),
        (True, Literal[1, True], True),
        ("none", int | None, None),
        (None, int | None, None),
        ("4", int | None, 4),
        ("none", str | None, None),
        (1.5, int | float, 1.5),
        ("auto", int | Literal["auto"], "auto"),
        ([1, 2], tuple[int, ...], (1, 2)),
        ((1, 2), list[int], [1, 2]),
        (7, tuple[int, ...], (7,)),
        ([0.5, 1], tuple[float, float], (0.5, 1.0)),
        (["1", 2], list[int], [1, 2]),
        ({"a": 1}, dict[str, int], {"a": 1}),
        ({"a": 1}, Mapping[str, int], {"a": 1}),
        ("here", Path, Path.cwd() / "here"),
        (object, Any, object),
        (3, inspect.Parameter.empty, 3),
    ],
)
def test_convert(value: Any, to: Any, expected: Any) -> None:
    found = convert(value, to, "it")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "to", "takes"),
    [
        ("3.5", int, "int"),
        (3.5, int, "int"),
        (True, int, "int"),
        (True, float, "float"),
        ("many", float, "float"),
        (1, bool, "true or false"),
        ("maybe", bool, "true or false"),
        ("l3", Literal["l1", "l2"], "'l1' or 'l2'"),
        (True, Literal[1, 2], "1 or 2"),
        (1, Literal[True, "auto"], "True or 'auto'"),
        (None, int, "int"),
        ("x", int | None, "int or none"),
        ([1, "x"], tuple[int, ...], "list of int"),
        ([1, 2, 3], tuple[float, float], "a list of 2 float"),
        ([1], dict[str, int], "table"),
    ],
)
def test_convert_refuses(value: Any, to: Any, takes: str) -> None:
    with pytest.raises(OptionError) as refused:
        convert(value, to, "noise 'de': dim")
    assert str(refused.value) == f"noise 'de': dim takes {takes}, not {value!r}."


TEXTS = ("2024_01_05", "2024.10", "1e3", "true", "0x10", "2024-01-31", "[1, 2]", "1_000", "inf", "007", "{a = 1}")


@pytest.mark.parametrize("text", TEXTS)
def test_text_stays_text(text: str) -> None:
    """Where an option's type is text or a path, nothing that is written there is a number."""
    written = Written(text)
    assert convert(written, str, "it") == text
    assert convert(written, str | None, "it") == text
    assert convert(written, Path, "it") == Path.cwd() / text
    assert convert(written, Path | None, "it") == Path.cwd() / text
    assert convert(Written(f"[x, '{text}']"), tuple[str, ...], "it") == ("x", text)
    assert type(convert(written, str, "it")) is str


@pytest.mark.parametrize(
    ("text", "to", "expected"),
    [
        ("64", int, 64),
        ("1e3", int, 1000),
        ("1_000", int, 1000),
        ("0x10", int, 16),
        ("1e-3", float, 1e-3),
        ("3", float, 3.0),
        ("inf", float, float("inf")),
        ("false", bool, False),
        ("Yes", bool, True),
        ("none", int | None, None),
        ("none", Path | None, None),
        ("'none'", str | None, "none"),
        ("64", int | tuple[int, int], 64),
        ("[64, 48]", int | tuple[int, int], (64, 48)),
        ("64,48", int | tuple[int, int], (64, 48)),
        ("[]", tuple[int, ...], ()),
        ("[0.5, 0.9,]", list[float], [0.5, 0.9]),
        ("[a.png, Ann's.png, 'b, c.png']", list[str], ["a.png", "Ann's.png", "b, c.png"]),
        ("a.png,b.png", list[str], ["a.png", "b.png"]),
        ("'a.png,b.png'", list[str], ["a.png,b.png"]),
        ("[[1, 2], [3]]", list[list[int]], [[1, 2], [3]]),
        ("l1", Literal["l1", "l2"], "l1"),
        ("2", Literal[1, 2], 2),
        ("2", Literal["1", "2"], "2"),
        ("'x'", str, "x"),
        ('"x\\ty"', str, "x\ty"),
        ("Ann's", str, "Ann's"),
        ("'a' and 'b'", str, "'a' and 'b'"),
        ("vae:width=8", str, "vae:width=8"),
        ("{a = 1}", dict[str, int], {"a": 1}),
        ("64", Any, 64),
        ("vae", Any, "vae"),
    ],
)
def test_a_type_decides_how_text_is_read(text: str, to: Any, expected: Any) -> None:
    found = convert(Written(text), to, "it")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "to", "message"),
    [
        (20240105, Path, "it takes path, not 20240105; write it in quotes."),
        (2024.1, str | None, "it takes str or none, not 2024.1; write it in quotes."),
        (True, str, "it takes str, not True; write it in quotes."),
        ("", Path, "it takes path, not ''."),
        (Written("2.5"), int, "it takes int, not '2.5'."),
        (Written("64,sample"), int, "it takes int, not '64,sample'."),
        (Written("[1, 2"), tuple[int, int], "it takes a list of 2 int, not '[1, 2'."),
    ],
)
def test_what_is_no_such_text(value: Any, to: Any, message: str) -> None:
    """A number in TOML or Python is not guessed to be a folder: 2024_01_05 would have become another one."""
    with pytest.raises(OptionError) as refused:
        convert(value, to, "it")
    assert str(refused.value) == message


def test_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for text in (Written("~/x"), "~/x", Path("~/x"), Written("'~/x'")):
        assert convert(text, Path, "it") == tmp_path / "x"
    assert convert(Written("~nobody-is-called-so/x"), Path, "it") == Path.cwd() / "~nobody-is-called-so/x"


def test_read_options() -> None:
    options = read_options(Part)
    assert list(options) == ["dim", "sample", "norm", "widths"]
    assert options["dim"].required
    assert not options["sample"].required
    assert options["dim"].doc == "how many numbers, at least 1; a second line of the same."
    assert options["sample"].doc == "whether to draw."
    assert options["norm"].doc == "which normalization."
    assert options["widths"].doc == ""
    assert options["widths"].type_name == "list of int or none"
    assert context_names(Part) == {"image_shape", "noise_dim"}


def test_options_need_no_docstring() -> None:
    def bare(size: int = 3) -> None:
        pass

    assert read_options(bare)["size"].doc == ""


def test_check_options_converts() -> None:
    found = check_options(Part, {"dim": "64", "sample": "no", "widths": [8, 4]}, "noise 'de'")
    assert found == {"dim": 64, "sample": False, "widths": (8, 4)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dim": 1, "sampel": True}, "noise 'de' has no option 'sampel'. Did you mean 'sample'?"),
        ({"dim": 1, "zzz": 1}, "noise 'de' has no option 'zzz'. Known: dim, norm, sample, widths."),
        ({"dim": 1, "others": 1}, "noise 'de' has no option 'others'. Known: dim, norm, sample, widths."),
        ({"dim": 1, "noise_dim": 3}, "noise 'de': 'noise_dim' is determined by other parts and cannot be set."),
        ({}, "noise 'de' needs dim=… (int): how many numbers, at least 1; a second line of the same."),
        ({"dim": "x"}, "noise 'de': dim takes int, not 'x'."),
    ],
)
def test_check_options_refuses(given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError) as refused:
        check_options(Part, given, "noise 'de'")
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (int, "int"),
        (float | None, "float or none"),
        (Literal["l1", "l2"], "'l1' or 'l2'"),
        (tuple[int, ...], "list of int"),
        (list[str], "list of str"),
        (list, "list"),
        (tuple[float, float], "a list of 2 float"),
        (Path, "path"),
        (Any, "any value"),
    ],
)
def test_type_name(annotation: Any, name: str) -> None:
    assert type_name(annotation) == name


@pytest.mark.parametrize(
    "options", [{"path": Path("/a,size=3/it's b")}, {"paths": [Path("/a, b"), Path("/'c'")]}, {"path": Path("/plain")}]
)
def test_paths_are_written_so_that_they_read_back(options: dict[str, Any]) -> None:
    def reader(*, path: Path = Path(), paths: tuple[Path, ...] = (), size: int = 1) -> None: ...

    name, read = parse_part(write_part("folder", options))
    assert (name, check_options(reader, read, "it")) == ("folder", check_options(reader, options, "it"))
