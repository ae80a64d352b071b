"""From a slider of `gantk explore` to the picture, in Chromium: a DCGAN of 64×64 images with the paper's widths.

    python bench/explorer_latency.py [--moves 100]

Needs selenium, chromium and chromedriver. The time is from the slider's event to the browser's event that the new
picture is loaded; the server and the browser share this machine.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import common
import numpy as np
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

import gantk

MOVE = """
const [value, done] = [arguments[0], arguments[1]];
const [slider, picture] = ["direction-0", "picture"].map((id) => document.getElementById(id));
const began = performance.now();
picture.addEventListener("load", () => done(performance.now() - began), { once: true });
slider.value = value;
slider.dispatchEvent(new Event("input", { bubbles: true }));
"""


def browser(folder: Path) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("headless", "no-sandbox", "disable-gpu", "disable-quic", "disable-background-networking"):
        options.add_argument(f"--{argument}")
    options.add_argument(f"--user-data-dir={folder / 'profile'}")
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=100)
    moves = parser.parse_args().moves
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = np.random.default_rng(0).integers(0, 256, (64, 64, 64, 3), dtype=np.uint8)
        settings = {"stages.game.length": "2 steps", "stages.game.batch_size": 8}
        gantk.train(gantk.build("dcgan", data=data, settings=settings), run=folder / "run")
        words = [sys.executable, "-m", "gantk", "explore", str(folder / "run")]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
            assert server.stdout is not None
            address = next(word for line in server.stdout for word in line.split() if word.startswith("http://"))
            driver = browser(folder)
            try:
                driver.get(address)
                ready = "return document.getElementById('picture').naturalWidth > 0"
                WebDriverWait(driver, 60).until(lambda page: page.execute_script(ready))
                driver.set_script_timeout(30)
                values = np.random.default_rng(1).uniform(-3, 3, moves + 5)
                taken = [float(driver.execute_async_script(MOVE, f"{value:.1f}")) for value in values][5:]
            finally:
                driver.quit()
                server.terminate()
    results = {"median ms": statistics.median(taken), "95th percentile ms": float(np.percentile(taken, 95))}
    print(", ".join(f"{name} {value:.0f}" for name, value in results.items()))
    protocol = {"moves": moves, "image": [3, 64, 64], "generator": "dcgan, width 64", "browser": "Chromium, headless"}
    print(common.write("explorer_latency", protocol, results))


if __name__ == "__main__":
    main()
