"""Runs that pages are drawn of, and a browser that opens the pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reported import Browser, built

import gantk


@pytest.fixture(scope="session")
def _trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "digits"
    gantk.train(built(), path)
    gantk.evaluate(path, metrics=["prdc"], extractor="pixels", n=40, real=40)
    return path


@pytest.fixture
def trained(_trained_once: Path, tmp_path: Path) -> Path:
    """A trained and evaluated run, which a test can change."""
    return Path(shutil.copytree(_trained_once, tmp_path / "digits"))


@pytest.fixture(scope="session")
def _browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("no chromium or no chromedriver on the path")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    quiet = ("quic", "gpu", "background-networking", "component-update", "sync", "dev-shm-usage")
    for argument in (
        "headless",
        "no-sandbox",
        "no-first-run",
        "hide-scrollbars",
        *(f"disable-{each}" for each in quiet),
    ):
        options.add_argument(f"--{argument}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    yield driver
    driver.quit()


@pytest.fixture
def browser(_browser: Any) -> Browser:
    """Chromium; a test that needs it is skipped where there is none."""
    _browser.get("about:blank")
    _browser.get_log("browser")
    return Browser(_browser)
