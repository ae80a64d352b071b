"""sample and interpolate: what they write is read back and compared with what Python gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gantk as api
from gantk.chunks import CHUNK
from gantk.measures.interpolation import PATHS, strips


def as_bytes(images: torch.Tensor) -> np.ndarray:
    scaled = (images.double().numpy() + 1) / 2 * 255
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def near(one: np.ndarray, other: np.ndarray) -> bool:
    """Alike but for the rounding of halves."""
    return one.shape == other.shape and int(np.abs(one.astype(int) - other).max()) <= 1


def read(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as file:
        assert file.files == ["arr_0"]
        array: np.ndarray = file["arr_0"]
    assert array.dtype == np.uint8
    return array


def cut(path: Path, rows: int, columns: int, side: int = 28) -> np.ndarray:
    """The images of a grid, row by row."""
    drawn = Image.open(path)
    assert drawn.format == "PNG"
    picture = np.array(drawn)
    gap = side + 2
    assert picture.shape[:2] == (rows * gap + 2, columns * gap + 2)
    places = [(row * gap + 2, column * gap + 2) for row in range(rows) for column in range(columns)]
    return np.stack([picture[top : top + side, left : left + side] for top, left in places])


@pytest.mark.skipif(torch.accelerator.device_count() > 98, reason="this machine has 99 accelerators")
@pytest.mark.parametrize("command", ["sample", "evaluate", "neighbors", "intrinsic-dim"])
def test_devices_that_are_not_there_are_one_line(command: str, call) -> None:
    said = call(command, "nothing", "--devices", "99").error(2)
    assert "99 accelerators are asked for, but this machine has" in said


@pytest.mark.slow
def test_every_kind_of_output_holds_the_same_images(trained: Path, tmp_path: Path, gantk, call) -> None:
    assert (
        "10 images written to out/grid.png" in gantk("sample", "trained", "-n", "10", "-o", "out/grid.png").worked().out
    )
    call("sample", "trained", "-n", "10", "-o", "out/images.npz").worked()
    call("sample", "trained", "-n", "10", "-o", "out/folder").worked()
    array = read(tmp_path / "out/images.npz")
    assert array.shape == (10, 28, 28, 1)
    assert near(array, as_bytes(api.load(trained).sample(10, seed=0)))
    assert np.array_equal(cut(tmp_path / "out/grid.png", 3, 4)[:10], array[..., 0])
    files = sorted((tmp_path / "out/folder").iterdir())
    assert np.array_equal(np.stack([np.array(Image.open(file)) for file in files]), array[..., 0])
    call("sample", "trained", "-n", "10", "-o", "out/images.zip").worked()
    again = api.construct.construct("data", f"{tmp_path / 'out/images.zip'}:color=gray")
    assert np.array_equal(again.images(range(10)).permute(0, 2, 3, 1).numpy(), array)
    assert (cut(tmp_path / "out/grid.png", 3, 4)[10:] == 255).all(), "the rest of the last row is white"


def test_same_seed_same_bytes_and_other_seeds_others(trained: Path, tmp_path: Path, call) -> None:
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        for kind in ("png", "npz"):
            call("sample", "trained", "-n", "5", "--seed", seed, "-o", f"{name}.{kind}").worked()
    for kind in ("png", "npz"):
        first, same, other = ((tmp_path / f"{name}.{kind}").read_bytes() for name in "abc")
        assert first == same
        assert first != other
    assert near(read(tmp_path / "c.npz"), as_bytes(api.load(trained).sample(5, seed=4)))


def test_the_first_ten_are_the_first_of_forty(trained: Path, tmp_path: Path, call) -> None:
    for n in ("1", "10", "40"):
        call("sample", "trained", "-n", n, "-o", f"{n}.npz").worked()
    one, ten, forty = (read(tmp_path / f"{n}.npz") for n in (1, 10, 40))
    assert len(forty) == 40 > CHUNK
    assert np.array_equal(ten, forty[:10])
    assert np.array_equal(one, forty[:1])
    assert len(np.unique(forty.reshape(40, -1), axis=0)) == 40


def test_without_a_place_it_is_a_grid(trained: Path, tmp_path: Path, call) -> None:
    assert call("sample", "trained").worked().out == "64 images written to grid.png\n"
    assert cut(tmp_path / "grid.png", 8, 8).shape == (64, 28, 28)
    assert call("sample", "trained", "-n", "1").worked().out == "1 image written to grid.png\n"
    assert cut(tmp_path / "grid.png", 1, 1).shape == (1, 28, 28)


def test_the_newest_checkpoint_is_sampled(trained: Path, tmp_path: Path, call) -> None:
    import shutil

    call("sample", "trained", "-n", "2", "-o", "new.npz").worked()
    shutil.rmtree(trained / "checkpoints/step-0000008")
    call("sample", "trained", "-n", "2", "-o", "old.npz").worked()
    assert not np.array_equal(read(tmp_path / "new.npz"), read(tmp_path / "old.npz"))
    (trained / "checkpoints/.unfinished-step-0000009").mkdir()
    call("sample", "trained", "-n", "2", "-o", "again.npz").worked()
    assert np.array_equal(read(tmp_path / "again.npz"), read(tmp_path / "old.npz")), "a half written one is none"


def test_sampling_changes_nothing_in_the_run_and_needs_no_data(trained: Path, call, contents) -> None:
    file = trained / "model.toml"
    file.write_text(file.read_text().replace('plugin = "gantk:digits"', 'plugin = "gantk:folder"\nroot = "/gone"'))
    before = contents(trained)
    call("sample", "trained", "-n", "1").worked()
    call("interpolate", "trained", "--rows", "1", "--steps", "2").worked()
    assert contents(trained) == before


@pytest.mark.parametrize("command", ["sample", "interpolate"])
def test_a_run_never_trained(command: str, untrained: Path, tmp_path: Path, call) -> None:
    error = call(command, "untrained").error(1)
    assert "untrained has not been trained yet: run gantk train untrained first" in error
    assert [path.name for path in tmp_path.iterdir()] == ["untrained"]


REFUSED = {
    "webp": (["-o", "grid.webp"], 2, "expected NAME.png or NAME.jpg or NAME.jpeg or NAME.npz or NAME.zip or the"),
    "a slip": (["-o", "grid.pgn"], 2, "expected NAME.png"),
    "moving": (["-o", "grid.gif"], 2, "expected NAME.png"),
    "too many": (
        ["-n", "3000000", "-o", "big.png"],
        2,
        "a grid of 51,962×51,992 pixels; the limit is 89,478,485 pixels",
    ),
    "too many for a JPEG": (["-n", "3000000", "-o", "big.jpg"], 2, "the limit is 89,478,485 pixels"),
    "file": (["-o", "file"], 2, "is a file; expected a folder"),
    "under a file": (["-o", "file/grid.png"], 2, "is a file; expected a folder"),
    "folder.png": (["-o", "folder.png"], 2, "is a folder; expected a file"),
    "the run": (["-o", "trained"], 2, "use a new folder"),
    "here": (["-o", "."], 2, "use a new folder"),
    "empty": (["-o", ""], 2, "give a path"),
    "proc": (["-o", "/proc/grid.png"], 1, "/proc/grid.png cannot be written"),
    "long": (["-o", "x" * 300 + ".png"], 1, "File name too long"),
    "n=0": (["-n", "0"], 2, "gantk sample --help"),
    "n=-1": (["-n", "-1"], 2, "gantk sample --help"),
    "n=many": (["-n", "many"], 2, "gantk sample --help"),
    "seed=-1": (["--seed", "-1"], 2, "--seed"),
    "huge seed": (["--seed", "9" * 30], 2, "--seed"),
    "option": (["--sed", "1"], 2, "--seed"),
}


@pytest.mark.parametrize(("arguments", "code", "mend"), REFUSED.values(), ids=REFUSED)
def test_odd_outputs_are_refused(
    arguments: list[str], code: int, mend: str, trained: Path, tmp_path: Path, call, contents
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder.png").mkdir()
    before = contents(tmp_path)
    assert mend in call("sample", "trained", *arguments).error(code)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("command", ["sample", "interpolate"])
@pytest.mark.parametrize("place", ["/proc/self/x.png", "/proc/self/new/x.png", "n" * 250 + ".png"])
def test_a_place_that_cannot_be_written_is_noticed_before_the_run_is_loaded(
    command: str, place: str, trained: Path, tmp_path: Path, call, contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place.startswith("/proc") and not Path("/proc/self").is_dir():
        pytest.skip("there is no /proc here")
    monkeypatch.setattr("gantk.building.load.load", lambda *given, **named: pytest.fail("it was loaded"))
    before = contents(tmp_path)
    assert f"{place} cannot be written: " in call(command, "trained", "-o", place).error(1)
    assert contents(tmp_path) == before


def test_the_largest_seed(trained: Path, tmp_path: Path, call) -> None:
    call("sample", "trained", "-n", "1", "--seed", str(2**63 - 1), "-o", "a.npz").worked()
    assert near(read(tmp_path / "a.npz"), as_bytes(api.load(trained).sample(1, seed=2**63 - 1)))


@pytest.mark.parametrize("path", ["linear", "spherical"])
def test_strips_go_from_one_sample_to_another(path: str, trained: Path, tmp_path: Path, call) -> None:
    arguments = ("--rows", "3", "--steps", "5", "--path", path, "--seed", "6", "-o", "new/strips.png")
    assert (
        call("interpolate", "trained", *arguments).worked().out
        == f"3 {path} strips of 5 images written to {arguments[-1]}\n"
    )
    images = cut(tmp_path / "new/strips.png", 3, 5).reshape(3, 5, 28, 28)
    model = api.load(trained)
    ends = as_bytes(model.sample(6, seed=6))[..., 0]
    assert near(images[:, 0], ends[0::2])
    assert near(images[:, -1], ends[1::2])
    between = model.generate(strips(model.sample_noise(6, 6), 5, PATHS[path]))
    assert near(images.reshape(15, 28, 28), as_bytes(between)[..., 0])


def test_paths_and_seeds_differ_and_repeat(trained: Path, tmp_path: Path, call) -> None:
    for name, arguments in {"a": [], "b": [], "c": ["--path", "spherical"], "d": ["--seed", "1"]}.items():
        call("interpolate", "trained", *arguments, "-o", f"{name}.png").worked()
    first, same, round_, other = ((tmp_path / f"{name}.png").read_bytes() for name in "abcd")
    assert first == same
    assert len({first, round_, other}) == 3
    assert cut(tmp_path / "a.png", 8, 10).shape == (80, 28, 28)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--rows", "0"],
        ["--steps", "1"],
        ["--path", "round"],
        ["--seed", "-1"],
        ["-o", "a.npz"],
        ["-o", "a.webp"],
        ["--rows", "9000", "--steps", "99"],
    ],
    ids=" ".join,
)
def test_odd_strips_are_refused(arguments: list[str], trained: Path, tmp_path: Path, call, contents) -> None:
    before = contents(tmp_path)
    call("interpolate", "trained", *arguments).error(2)
    assert contents(tmp_path) == before


def test_the_refiner_can_be_switched_off(tmp_path: Path, call, small_build: list[str]) -> None:
    short = ("--set", "stages.game.length=2 steps", "--set", "generator.init_std=0.5")
    call(*small_build, *short, "--refiner", "denoiser:width=2", "-o", "refined").worked()
    call("train", "refined").worked()
    call("sample", "refined", "-n", "3", "-o", "with.npz").worked()
    call("sample", "refined", "-n", "3", "--no-refiner", "-o", "without.npz").worked()
    model = api.load(tmp_path / "refined")
    refined, plain = read(tmp_path / "with.npz"), read(tmp_path / "without.npz")
    assert not near(refined, plain)
    assert near(refined, as_bytes(model.sample(3, seed=0)))
    assert near(plain, as_bytes(model.generator.eval()(model.sample_noise(3, seed=0)).detach()))


def test_no_refiner_where_there_is_none(trained: Path, tmp_path: Path, call) -> None:
    error = call("sample", "trained", "-n", "1", "--no-refiner", "-o", "plain.png").error(2)
    assert "trained has no refiner: leave out --no-refiner" in error
    assert not (tmp_path / "plain.png").exists()


@pytest.mark.parametrize("name", ["samples_0.5", "v1.5", "2024.10", "my.run"])
def test_a_folder_may_have_dots(name: str, trained: Path, tmp_path: Path, call) -> None:
    call("sample", "trained", "-n", "2", "-o", name).worked()
    assert sorted(path.name for path in (tmp_path / name).iterdir()) == ["000000.png", "000001.png"]


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".JPG"])
def test_jpeg(suffix: str, trained: Path, tmp_path: Path, call) -> None:
    for command in ("sample", "interpolate"):
        call(command, "trained", "-o", f"x{suffix}").worked()
        assert Image.open(tmp_path / f"x{suffix}").format == "JPEG"
    call("sample", "trained", "-n", "4", "-o", "x.png").worked()
    call("sample", "trained", "-n", "4", "-o", f"y{suffix}").worked()
    one, other = (np.array(Image.open(tmp_path / name)).astype(int) for name in ("x.png", f"y{suffix}"))
    assert np.abs(one - other).mean() < 12


def test_a_gif_goes_there_and_back(trained: Path, tmp_path: Path, call) -> None:
    call("interpolate", "trained", "--rows", "4", "--steps", "5", "-o", "way.gif").worked()
    call("interpolate", "trained", "--rows", "4", "--steps", "5", "-o", "frames").worked()
    moving = Image.open(tmp_path / "way.gif")
    assert (moving.format, moving.size) == ("GIF", (62, 62))
    assert moving.n_frames == 8
    frames = sorted((tmp_path / "frames").iterdir())
    assert len(frames) == 5
    for index in range(5):
        moving.seek(index)
        same = np.array(moving.convert("L")).astype(int) - np.array(Image.open(frames[index]))
        assert np.abs(same).max() < 4


def test_mp4_needs_ffmpeg_and_says_so(trained: Path, tmp_path: Path, call, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    error = call("interpolate", "trained", "-o", "way.mp4").error(2)
    assert "MP4 needs ffmpeg" in error
    assert "NAME.gif" in error
    program = tmp_path / "bin/ffmpeg"
    program.write_text('#!/bin/sh\nfor last; do :; done\n/bin/cat > "$last"\n')
    program.chmod(0o755)
    call("interpolate", "trained", "--rows", "4", "--steps", "3", "-o", "way.mp4").worked()
    assert (tmp_path / "way.mp4").stat().st_size == 4 * 62 * 62 * 3
    program.write_text("#!/bin/sh\necho no such codec >&2; exit 3\n")
    assert "ffmpeg failed: no such codec" in call("interpolate", "trained", "-o", "no.mp4").error(1)
    assert not (tmp_path / "no.mp4").exists()


def test_batches_are_the_images_of_one_draw(trained: Path) -> None:
    from gantk.measures.samples import sample_batches

    model = api.load(trained)
    found = list(sample_batches(model, CHUNK + 8, seed=3))
    assert [len(batch) for batch in found] == [CHUNK, 8]
    assert torch.equal(torch.cat(found), model.sample(CHUNK + 8, seed=3))


def test_a_grid_by_class_has_a_column_for_each(tmp_path: Path, call, small_build: list[str]) -> None:
    call(*small_build, "--condition", "class", "-o", "by-class").worked()
    call("train", "by-class").worked()
    call("sample", "by-class", "--by-class", "-n", "20", "-o", "grid.png").worked()
    call("sample", "by-class", "--by-class", "-n", "20", "-o", "array.npz").worked()
    model = api.load(tmp_path / "by-class")
    expected = as_bytes(model.sample(20, seed=0, condition=[str(digit) for digit in range(10)]))[..., 0]
    assert near(cut(tmp_path / "grid.png", 2, 10), expected)
    with np.load(tmp_path / "array.npz") as file:
        assert near(file["arr_0"][..., 0], expected)
        assert file["labels"].tolist() == [*range(10)] * 2
    error = call("sample", "by-class", "--by-class", "--condition", "3").error(2)
    assert "leave out --condition, or --by-class" in error


def test_a_model_without_classes_has_no_grid_of_them(trained: Path, tmp_path: Path, call) -> None:
    assert "build one with --condition class" in call("sample", "trained", "--by-class").error(2)
    assert not (tmp_path / "grid.png").exists()


def test_noise_of_a_file_is_refused_where_it_cannot_be_meant(trained: Path, tmp_path: Path, call) -> None:
    np.save(tmp_path / "huge.npy", np.full((1, 4), 1e300))
    assert "finite numbers of 32 bits" in call("sample", "trained", "--noise", "huge.npy", "-o", "x.png").error(2)
    np.save(tmp_path / "two.npy", np.zeros((2, 4), np.float32))
    assert "leave out -n" in call("sample", "trained", "--noise", "two.npy", "-n", "3", "-o", "x.png").error(2)
    assert not (tmp_path / "x.png").exists()
    assert "2 images" in call("sample", "trained", "--noise", "two.npy", "-o", "x.png").worked().out
