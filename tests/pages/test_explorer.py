"""The server of `gantk explore`: it draws what the page asks for, and answers nobody else."""

from __future__ import annotations

import http.client
import io
import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forked import Forked, gantk_forked
from PIL import Image
from torch import Tensor

import gantk
from gantk.explorer.directions import directions
from gantk.explorer.server import LARGEST, Server
from gantk.explorer.session import Session
from gantk.run.folder import Run

SETTINGS = {"stages.*.length": "2 steps", "stages.*.batch_size": 8, "train": {"samples": 4, "accelerator": "cpu"}}


class Asking:
    """Someone who asks a server."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def __call__(
        self, name: str, body: Any = None, token: str | None = None, method: str = "POST", **headers: str
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=30)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = f"/{self.server.token if token is None else token}/{name}"
        connection.request(method, path, content if method == "POST" else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def json(self, name: str, body: Any = None) -> Any:
        status, found = self(name, body)
        assert status == 200, found
        return json.loads(found)

    def pixels(self, name: str, body: Any) -> np.ndarray:
        status, found = self(name, body)
        assert status == 200, found
        return np.asarray(Image.open(io.BytesIO(found)))

    def refused(self, name: str, body: Any) -> str:
        status, found = self(name, body)
        assert status == 400, found
        return str(json.loads(found)["error"])


def serving(run: Path) -> Iterator[Asking]:
    with Server(Session(Run(run))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Asking(server)
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def by_class(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "by-class"
    model = gantk.build(
        "cdcgan", data="digits", generator="dcgan:width=4", discriminator="dcgan:width=4", settings=SETTINGS
    )
    gantk.train(model, run)
    return run


@pytest.fixture
def ask(by_class: Path) -> Iterator[Asking]:
    yield from serving(by_class)


@pytest.fixture
def encoder(tmp_path: Path) -> Iterator[Asking]:
    gantk.train(gantk.build("vae", generator="vae:width=4", settings=SETTINGS), tmp_path / "vae")
    yield from serving(tmp_path / "vae")


def test_it_draws_what_sample_draws_of_the_saved_noise(ask: Asking, by_class: Path, tmp_path: Path) -> None:
    place = {"start": {"seed": 3, "condition": "7"}, "moves": [1.5, 0, -2]}
    drawn = ask.pixels("picture", place)
    status, noise = ask("noise", place)
    assert status == 200
    (tmp_path / "noise.npy").write_bytes(noise)
    words = ["sample", str(by_class), "--noise", str(tmp_path / "noise.npy"), "-o", str(tmp_path / "one")]
    assert gantk_forked(*words, cwd=tmp_path).returncode == 0
    (file,) = (tmp_path / "one").glob("*.png")
    assert np.abs(drawn.astype(int) - np.asarray(Image.open(file)).astype(int)).max() <= 1


def test_seeds_classes_and_moves_are_those_of_the_model(ask: Asking, by_class: Path) -> None:
    model = gantk.load(by_class)
    expected = ((model.sample(1, seed=5, condition="2")[0, 0] + 1) * 127.5).round().numpy()
    found = ask.pixels("picture", {"start": {"seed": 5, "condition": "2"}})
    assert np.abs(found - expected).max() <= 1
    along = directions(model)
    assert along.shape == (8, 100)
    noise = np.load(io.BytesIO(ask("noise", {"start": {"seed": 5, "condition": "2"}, "moves": [0, 2]})[1]))
    unmoved = model.sample_noise(1, seed=5, condition="2").numpy()
    np.testing.assert_allclose(noise[:, :100] - unmoved[:, :100], 2 * along[1:2].numpy(), atol=1e-5)
    np.testing.assert_array_equal(noise[:, 100:], unmoved[:, 100:])


def test_directions_are_those_that_change_images_the_most() -> None:
    class Fourth(torch.nn.Module):
        """Images that follow one number of the noise, and the others a little."""

        def __init__(self) -> None:
            super().__init__()
            rng = torch.Generator().manual_seed(0)
            strength = torch.full((8, 1), 0.01)
            strength[3] = 1.0
            self.to_pixels = torch.nn.Parameter(strength * torch.randn(8, 64, generator=rng))

        def forward(self, noise: Tensor) -> Tensor:
            return (0.1 * noise @ self.to_pixels).view(-1, 1, 8, 8)

    data = np.random.default_rng(0).integers(0, 256, (16, 8, 8), dtype=np.uint8)
    model = gantk.build(noise="gaussian:dim=8", generator=Fourth(), discriminator="gan", data=data)
    found = directions(model, 2)
    first = found[0] / found[0].norm()
    assert abs(float(first[3])) > 0.95
    assert float(found[0].norm()) == pytest.approx(1.0, abs=0.1), "a step is one standard deviation"
    assert abs(float(found[1] @ first)) < 1e-4


def test_a_walk_begins_and_ends_at_its_points(ask: Asking) -> None:
    start, end = {"seed": 1, "condition": "1"}, {"seed": 2, "condition": "4"}
    for share, alone in ((0.0, start), (1.0, end)):
        walked = ask.pixels("picture", {"start": start, "end": end, "share": share})
        assert np.abs(walked.astype(int) - ask.pixels("picture", {"start": alone}).astype(int)).max() <= 1
    strip = ask.pixels("strip", {"start": start, "end": end})
    assert strip.shape == (32, 8 * 30 + 2)


def test_nearest_training_images_of_one_of_them_begin_with_it(ask: Asking) -> None:
    digits = gantk.construct("data", "digits")
    file = io.BytesIO()
    Image.fromarray(digits.images([17])[0, 0].numpy()).save(file, "PNG")
    found = ask.json("nearest-dropped", file.getvalue())
    assert found["indices"][0] == 17
    assert found["distances"][0] == 0
    assert found["distances"] == sorted(found["distances"])
    assert len(ask.json("nearest", {"start": {"seed": 0}})["images"]) == 5


def test_an_image_is_encoded_and_generated_again(encoder: Asking) -> None:
    assert encoder.json("about")["codes"]
    file = io.BytesIO()
    Image.new("RGB", (50, 40), "white").save(file, "JPEG")
    found = encoder.json("reconstruction", file.getvalue())
    assert found["image"].startswith("data:image/png;base64,")
    assert 0 < found["error"] < 2
    assert "the dropped file" in encoder.refused("reconstruction", b"no image")


def test_numbers_of_a_condition_can_be_changed(ask: Asking) -> None:
    place = {"start": {"seed": 0, "condition": "0", "numbers": {"4": 0.5}}}
    noise = np.load(io.BytesIO(ask("noise", place)[1]))
    assert noise[0, 104] == 0.5
    assert noise[0, 100] == 1.0


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("picture", b"{", "no JSON"),
        ("picture", [], "no place: it is not a table"),
        ("picture", {"start": {"seed": -1}}, "seed"),
        ("picture", {"start": {"condition": "cat"}}, "cat"),
        ("picture", {"start": {"numbers": {"10": 1.0}}}, "no number 10"),
        ("picture", {"moves": [0.0] * 9}, "reload it"),
        ("picture", {"moves": [1e9]}, "moves are between"),
        ("picture", {"share": 2.0, "end": {}}, "reload it"),
        ("picture", {"path": "../x"}, "reload it"),
        ("picture", {"start": {"seed": "1; import os"}}, "no place: start.seed"),
        ("nearest-dropped", b"", "the dropped file"),
        ("reconstruction", b"\x89PNG", "not an image"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(ask: Asking, name: str, body: Any, said: str) -> None:
    error = ask.refused(name, body)
    assert said in error
    assert "\n" not in error


def test_nobody_else_is_answered(ask: Asking) -> None:
    port = ask.server.server_port
    assert ask("", method="GET")[0] == 200
    assert ask("page.js", method="GET", Host=f"localhost:{port}")[0] == 200
    assert ask("", method="GET", token="")[0] == 404
    assert ask("about", token="x" * 32)[0] == 404
    assert ask("", method="GET", Host="somewhere.example")[0] == 404, "a name that somebody else made mean this machine"
    assert ask("about", Host=f"somewhere.example:{port}")[0] == 404
    assert ask("../../../../etc/passwd", method="GET")[0] == 404
    assert ask("picture", b"{}", **{"Content-Length": str(LARGEST + 1)})[0] == 413
    assert ask("picture", b"{}", **{"Content-Length": "9" * 5000})[0] == 413, "more digits than Python converts"
    assert ask.server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(("error", "told"), [(ConnectionResetError, False), (BrokenPipeError, False), (OSError, True)])
def test_a_page_that_is_closed_meanwhile_is_nothing_to_report(
    ask: Asking, capsys: pytest.CaptureFixture[str], error: type[Exception], told: bool
) -> None:
    try:
        raise error("of the connection")
    except OSError:
        ask.server.handle_error(None, ("127.0.0.1", 1))  # as the server does
    assert ("of the connection" in capsys.readouterr().err) == told


def test_the_page_may_load_nothing_from_elsewhere(ask: Asking) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", ask.server.server_port, timeout=30)
    connection.request("GET", f"/{ask.server.token}/")
    answer = connection.getresponse()
    policy = answer.getheader("Content-Security-Policy") or ""
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert "unsafe" not in policy
    assert b"http" not in answer.read()


@pytest.mark.slow
def test_the_command_serves_until_ctrl_c(by_class: Path) -> None:
    process = Forked("explore", str(by_class), cwd=by_class.parent, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert b"http://127.0.0.1:" in process.stderr.readline()
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert b"Traceback" not in process.stderr.read()
