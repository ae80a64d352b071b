"""Runs to report, their pages as text, and a browser that opens them."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import gantk

SETTINGS: dict[str, Any] = {
    "stages.game.length": "8 steps",
    "stages.game.batch_size": 8,
    "train.log_every": 1,
    "train.sample_every": 2,
    "train.checkpoint_every": 4,
    "train.samples": 4,
    "train.measure_every": 4,
    "train.measure_samples": 30,
    "train.every_minutes": 0.0,
    "train.accelerator": "cpu",
}


def built(seed: int = 0) -> gantk.Model:
    """A small model on the embedded digits, which measures in training."""
    return gantk.build(
        noise="gaussian:dim=4",
        generator="dcgan:width=4",
        discriminator="dcgan:width=4",
        metric="prdc:k=3",
        data="digits",
        seed=seed,
        settings=SETTINGS,
    )


class Page(HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def data(self) -> dict[str, list[dict[str, object]]]:
        found = re.search(r'<script type="application/json" id="data">(.*?)</script>', self.source, re.DOTALL)
        assert found
        return json.loads(found[1])


def drawn(run: Path | list[Path], output: Path | None = None) -> Page:
    return Page(gantk.report(run, output))


def made_hostile(run: Path, text: str) -> Path:
    """A run whose every text is this one."""
    toml = run / "model.toml"
    quoted = json.dumps(text)
    title = re.sub(r"^title = .*", lambda _: f"title = {quoted}", toml.read_text(), count=1, flags=re.MULTILINE)
    toml.write_text(title.replace('"3"', quoted).replace("[versions]", f"[versions]\n{quoted} = {quoted}"))
    with (run / "log.jsonl").open("a") as log:
        values = {text: 1.0, f"measure/{text}": float("nan"), f"</script>{text}/state/{text}": 2.0}
        log.write(json.dumps({"step": 9, "stage": text, "time": 1.0, "values": values}) + "\n")
    scores = json.loads((run / "metrics.json").read_text())
    scores[0] |= {"metric": f"gantk:{text}", "figures": {text: "Infinity"}}
    scores[0]["protocol"]["generated"]["source"] = text
    (run / "metrics.json").write_text(json.dumps(scores))
    (run / "history.toml").write_text(f"[[change]]\nstep = 1\n[change.was]\n{quoted} = {quoted}\n[change.now]\n")
    (run / "samples" / "step-0000004.png").write_bytes(text.encode() * 100)
    name = text.replace("/", "∕")
    return run.rename(run.with_name(name))


class Browser:
    """A browser with one page in it."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path | str, width: int = 1200, dark: bool = False) -> None:
        """Open a page, a file or an address, at a width, in a light or dark scheme."""
        self.resize(width, 900)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get(page if isinstance(page, str) else page.as_uri())
        # Charts are drawn when the browser tells them their sizes, before the second of these frames.
        self.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def run(self, script: str) -> Any:
        """What an expression of JavaScript gives."""
        return self.driver.execute_script(f"return {script}")

    def press(self, selector: str, *keys: str) -> None:
        """Press keys while the element of a CSS selector has the focus."""
        found = self.driver.find_element("css selector", selector)
        self.driver.execute_script("arguments[0].focus()", found)
        found.send_keys(*keys)

    def errors(self) -> list[str]:
        """What the page has complained of since this was asked last."""
        return [entry["message"] for entry in self.driver.get_log("browser")]
