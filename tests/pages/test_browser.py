"""The page of a run in a real browser: it draws, can be used by keyboard, fits narrow screens, and loads nothing."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image
from reported import Browser, built, made_hostile

import gantk

KEYS = pytest.importorskip("selenium.webdriver.common.keys", reason="selenium is not installed").Keys

PAINTED = """[...document.querySelectorAll('.chart canvas')].map(canvas => {
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return new Set(Uint32Array.from(new Uint32Array(pixels.buffer))).size > 4;
})"""
"""Whether something is drawn on each chart."""


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("dark", [False, True])
def test_charts_are_drawn_and_nothing_is_wider_than_the_screen(
    trained: Path, browser: Browser, width: int, dark: bool
) -> None:
    browser.open(gantk.report(trained), width, dark)
    browser.run("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    browser.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    painted = browser.run(PAINTED)
    assert len(painted) == browser.run("document.querySelectorAll('.chart').length") > 5
    assert all(painted)
    assert browser.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert browser.run("[...document.images].every(each => each.complete && each.naturalWidth > 0)")
    assert browser.errors() == []


def test_it_asks_for_nothing(trained: Path, browser: Browser) -> None:
    browser.open(gantk.report(trained))
    loaded = browser.run("performance.getEntriesByType('resource').map(each => each.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []


def test_the_slider_over_samples_moves_by_keyboard(trained: Path, browser: Browser) -> None:
    browser.open(gantk.report(trained))
    shown = "document.querySelector('.stack img:not([hidden])').dataset.step"
    assert browser.run(shown) == "8"
    browser.press(".slider", KEYS.ARROW_LEFT)
    assert browser.run(shown) == "6"
    assert browser.run("document.querySelector('.slider').getAttribute('aria-valuetext')") == "step 6"
    assert browser.run("document.querySelector('.frame-step').textContent") == "Step 6"
    browser.press(".slider", KEYS.HOME)
    assert browser.run(shown) == "2"


def test_charts_are_read_and_changed_by_keyboard(trained: Path, browser: Browser) -> None:
    browser.open(gantk.report(trained))
    said = "document.getElementById('reading').textContent"
    browser.press(".plot", KEYS.END)
    assert browser.run(said).startswith("steps 8: nonsaturating")
    browser.press(".plot", KEYS.ARROW_LEFT)
    assert browser.run(said).startswith("steps 7: nonsaturating")
    values = browser.run("[...document.querySelectorAll('.legend button:first-child b')].map(each => each.textContent)")
    assert len(list(filter(None, values))) > 5, "the other charts show their values at this step"
    before = browser.run("document.querySelector('.chart canvas').toDataURL()")
    browser.press(".plot", "+")
    assert browser.run("document.querySelector('.chart canvas').toDataURL()") != before
    browser.press(".plot", KEYS.ESCAPE)
    browser.press("#smoothing", *[KEYS.ARROW_RIGHT] * 40)
    assert browser.run("document.getElementById('smoothing-value').textContent") == "0.8"
    smooth = browser.run("document.querySelector('.chart canvas').toDataURL()")
    assert smooth != before
    browser.press(".legend button", KEYS.SPACE)
    assert browser.run("document.querySelector('.legend button').getAttribute('aria-pressed')") == "false"
    browser.press("#axis", "h")
    browser.press("#logarithmic", KEYS.SPACE)
    assert browser.errors() == []


def test_several_runs_are_drawn_over_each_other(trained: Path, tmp_path: Path, browser: Browser) -> None:
    gantk.train(built(seed=1), tmp_path / "other")
    page = gantk.report([trained, tmp_path / "other"], tmp_path / "both.html")
    browser.open(page)
    assert browser.run("document.querySelector('.legend').textContent") == "digitsother"
    shown = "[...document.querySelectorAll('.stack')].map(each => each.querySelector('img:not([hidden])').dataset.step)"
    assert browser.run(shown) == ["8", "8"]
    browser.press(".slider", KEYS.ARROW_LEFT)
    assert browser.run(shown) == ["6", "6"]
    browser.press("#together", KEYS.SPACE)
    browser.press(".slider", KEYS.ARROW_LEFT)
    assert browser.run(shown) == ["4", "6"]
    assert browser.errors() == []


def test_a_table_is_behind_each_chart(trained: Path, browser: Browser) -> None:
    browser.open(gantk.report(trained))
    rows = browser.run("[...document.querySelectorAll('.chart')].map(each => each.querySelectorAll('tbody tr').length)")
    assert min(rows) >= 2
    unnamed = "[...document.querySelectorAll('img, svg, input, select, [role=group], [role=img]')].filter(each => !(each.hasAttribute('alt') || each.ariaLabel || each.labels?.length))"  # noqa: E501
    assert browser.run(f"{unnamed}.map(each => each.outerHTML)") == []


HACK = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>"


def test_a_strangers_run_gets_no_script_into_the_page(trained: Path, browser: Browser) -> None:
    browser.open(gantk.report(made_hostile(trained, HACK)))
    assert browser.run("window.hacked") is None
    assert browser.run("document.querySelectorAll('img[src=x]').length") == 0
    assert browser.run("document.body.innerText.includes('onerror=window.hacked')")
    assert browser.errors() == []


@pytest.mark.skipif("GANTK_SCREENSHOT" not in os.environ, reason="draws docs/images/report.png: set GANTK_SCREENSHOT")
def test_the_screenshot_of_the_docs(browser: Browser) -> None:
    """GANTK_SCREENSHOT is the run; the picture is written to docs/images/report.png."""
    page = gantk.report(os.environ["GANTK_SCREENSHOT"])
    browser.open(page, 1120)
    browser.resize(1120, 1560)
    shot = Image.open(io.BytesIO(browser.driver.get_screenshot_as_png())).convert("RGB")
    shot.quantize(128).save(Path(__file__).parents[2] / "docs" / "images" / "report.png", optimize=True)
