"""The page of `gantk explore` in a real browser: by keyboard, on narrow screens, without an error."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from reported import Browser

from gantk.explorer.server import Server
from gantk.explorer.session import Session
from gantk.run.folder import Run

KEYS = pytest.importorskip("selenium.webdriver.common.keys", reason="selenium is not installed").Keys


@pytest.fixture
def address(trained: Path) -> Iterator[str]:
    with Server(Session(Run(trained))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.address
        server.shutdown()
        thread.join()


def until(browser: Browser, script: str) -> None:
    ui = pytest.importorskip("selenium.webdriver.support.ui")
    ui.WebDriverWait(browser.driver, 30).until(lambda driver: driver.execute_script(f"return {script}"))


def drawn(browser: Browser) -> int:
    return int(browser.run("Number(document.getElementById('picture').dataset.drawn || 0)"))


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("dark", [False, True])
def test_a_slider_moves_the_picture_by_keyboard(address: str, browser: Browser, width: int, dark: bool) -> None:
    browser.open(address, width, dark)
    until(browser, "document.getElementById('picture').naturalWidth > 0")
    before, first = drawn(browser), browser.run("document.getElementById('picture').src")
    browser.press("#direction-0", *[KEYS.ARROW_RIGHT] * 10)
    until(browser, f"Number(document.getElementById('picture').dataset.drawn) > {before}")
    assert browser.run("document.getElementById('picture').src") != first
    assert browser.run("document.querySelector('#directions output').textContent") == "0.5"
    assert "drawn in" in browser.run("document.getElementById('state').textContent")
    assert browser.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert browser.errors() == []


def test_a_walk_and_the_nearest_training_images_by_keyboard(address: str, browser: Browser) -> None:
    browser.open(address)
    until(browser, "document.getElementById('picture').naturalWidth > 0")
    browser.press("#walks", KEYS.SPACE)
    until(browser, "document.getElementById('strip').naturalWidth > 0")
    before = drawn(browser)
    browser.press("#share", *[KEYS.ARROW_RIGHT] * 3)
    until(browser, f"Number(document.getElementById('picture').dataset.drawn) > {before}")
    browser.press("#find-nearest", KEYS.ENTER)
    until(browser, "document.querySelectorAll('#found figure').length === 5")
    assert browser.run("document.getElementById('again').value").startswith("gantk sample ")
    assert browser.run("document.querySelectorAll('#figures tr').length") > 0, "the scores of the run"
    assert browser.run("[...document.querySelectorAll('input, select, textarea')].every(e => e.labels.length > 0)")
    assert browser.errors() == []
