"""The report in a browser: its gallery works, at desk and phone width, without any request."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lesionseg.evaluation.summary import Summary
from lesionseg.metrics.image_scores import ImageScores
from lesionseg.report.pages import html_page

pytest.importorskip("selenium", reason="needs selenium")
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="needs chromium and chromedriver")

VIEWPORTS = {"desktop": (1280, 900), "phone": (390, 844)}
ARGUMENTS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage"
)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 600"><path d="M0 600L900 0" stroke="#000"/></svg>'
MANY = 1_000
SECONDS = 3.0


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in ARGUMENTS.split():
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(executable_path=CHROMEDRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module", params=VIEWPORTS)
def viewport(request: pytest.FixtureRequest, browser: webdriver.Chrome) -> webdriver.Chrome:
    width, height = VIEWPORTS[request.param]
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": request.param == "phone"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    return browser


@pytest.fixture(scope="module")
def report(summary: Summary, image_scores: list[ImageScores], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html_page(summary, image_scores, {"ROC curve": SVG, "Calibration": SVG}), encoding="utf-8")
    return path


@pytest.fixture
def page(viewport: webdriver.Chrome, report: Path) -> webdriver.Chrome:
    for log in ("browser", "performance"):
        viewport.get_log(log)
    viewport.get(report.as_uri())
    return viewport


def cards(page: webdriver.Chrome) -> list[WebElement]:
    return page.find_elements(By.CSS_SELECTOR, ".card")


def ids(page: webdriver.Chrome) -> list[str]:
    return list(page.execute_script("return [...document.querySelectorAll('.card b')].map((b) => b.textContent)"))


def focused_id(page: webdriver.Chrome) -> str | None:
    found = page.execute_script("return document.activeElement.querySelector('b')?.textContent ?? null")
    return None if found is None else str(found)


def shown_id(page: webdriver.Chrome) -> str:
    return page.find_element(By.ID, "viewer-id").text.split(" ")[0]


def count(page: webdriver.Chrome) -> str:
    return page.find_element(By.ID, "count").text


def press(page: webdriver.Chrome, key: str) -> None:
    page.switch_to.active_element.send_keys(key)


def is_open(page: webdriver.Chrome) -> bool:
    return bool(page.execute_script("return document.getElementById('viewer').open"))


def overflow(page: webdriver.Chrome) -> int:
    return int(page.execute_script("return document.documentElement.scrollWidth - window.innerWidth"))


def test_all_images_are_shown_the_worst_first(page: webdriver.Chrome, image_scores: list[ImageScores]) -> None:
    assert ids(page)[0] == image_scores[-1].id
    assert ids(page)[-1] == image_scores[0].id
    assert count(page) == "showing 12 of 12"
    assert "missed" in cards(page)[0].text
    assert "failure" in cards(page)[1].text


def test_sorts_by_any_metric_in_both_directions(page: webdriver.Chrome, image_scores: list[ImageScores]) -> None:
    Select(page.find_element(By.ID, "sort")).select_by_visible_text("HD95 (%)")
    assert ids(page)[0] == image_scores[-1].id
    page.find_element(By.ID, "best-first").click()
    assert ids(page)[0] == image_scores[0].id
    assert ids(page)[-1] == image_scores[-1].id


def test_filters_by_stratum_and_searches_by_id(page: webdriver.Chrome) -> None:
    Select(page.find_element(By.CSS_SELECTOR, "[data-stratum='lesion size']")).select_by_visible_text("large")
    assert count(page) == "showing 5 of 12"
    assert len(ids(page)) == 5
    page.find_element(By.ID, "search").send_keys("isic_0000009")
    assert ids(page) == ["ISIC_0000009"]
    page.find_element(By.ID, "search").send_keys("nothing")
    assert count(page) == "showing 0 of 12"


def test_contours_can_be_hidden(page: webdriver.Chrome) -> None:
    truth = cards(page)[3].find_element(By.CSS_SELECTOR, "g.truth")
    assert truth.value_of_css_property("display") != "none"
    page.find_element(By.CSS_SELECTOR, ".strip [data-contour=truth]").click()
    assert truth.value_of_css_property("display") == "none"
    in_dialog = page.find_element(By.CSS_SELECTOR, "dialog [data-contour=truth]")
    assert not in_dialog.is_selected()


def test_dialog_steps_through_the_filtered_order_and_gives_the_focus_back(page: webdriver.Chrome) -> None:
    Select(page.find_element(By.CSS_SELECTOR, "[data-stratum='lesion size']")).select_by_visible_text("small")
    order = ids(page)
    cards(page)[1].send_keys(Keys.ENTER)
    assert is_open(page)
    assert shown_id(page) == order[1]
    press(page, Keys.ARROW_RIGHT)
    assert shown_id(page) == order[2]
    for _ in range(4):
        press(page, Keys.ARROW_LEFT)
    assert shown_id(page) == order[0]
    press(page, Keys.ESCAPE)
    assert not is_open(page)
    waited(page, lambda: focused_id(page) == order[0])  # the browser tells of a closed dialog a moment later


def test_dialog_closed_at_once_gives_the_focus_back_to_its_card(page: webdriver.Chrome) -> None:
    card = cards(page)[2]
    card.click()
    press(page, Keys.ESCAPE)
    waited(page, lambda: focused_id(page) == ids(page)[2])  # the browser tells of a closed dialog a moment later


def test_dialog_shows_scores_traits_and_strata_and_fits_the_window(page: webdriver.Chrome) -> None:
    cards(page)[0].click()
    dialog = page.find_element(By.ID, "viewer")
    for text in ("boundary F1", "recall (sensitivity)", "lesion share", "contrast", "touches the border", "missed"):
        assert text in dialog.text
    box = page.execute_script("return document.getElementById('viewer').getBoundingClientRect().toJSON()")
    width, height = page.execute_script("return [innerWidth, innerHeight]")
    assert box["left"] >= 0
    assert box["right"] <= width
    assert box["top"] >= 0
    assert box["bottom"] <= height
    assert overflow(page) <= 0


def test_nothing_is_requested_and_nothing_goes_wrong(page: webdriver.Chrome, report: Path) -> None:
    cards(page)[0].click()
    press(page, Keys.ARROW_RIGHT)
    loaded: list[str] = page.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert [name for name in loaded if not name.startswith("data:")] == []
    assert requested(page) <= {report.as_uri()}
    assert [entry for entry in page.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")] == []


def requested(page: webdriver.Chrome) -> set[str]:
    """What was asked for that is not in the file itself."""
    messages: list[dict[str, Any]] = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
    return {str(request["request"]["url"]) for request in sent if not request["request"]["url"].startswith("data:")}


def test_page_is_never_wider_than_the_window(page: webdriver.Chrome) -> None:
    assert overflow(page) <= 0
    for details in page.find_elements(By.CSS_SELECTOR, "details"):
        page.execute_script("arguments[0].open = true", details)
    assert overflow(page) <= 0


def test_every_control_has_a_name(page: webdriver.Chrome) -> None:
    for control in page.find_elements(By.CSS_SELECTOR, "main select, main input"):
        assert control.accessible_name
    card = cards(page)[0]
    page.execute_script("arguments[0].scrollIntoView()", card)  # what is not in sight has no name yet
    waited(page, lambda: card.accessible_name == "ISIC_0000011, missed, Jaccard 0.000, Dice 0.000")
    card.click()
    for control in page.find_elements(By.CSS_SELECTOR, "dialog input, dialog button"):
        assert control.accessible_name


def test_hostile_ids_are_shown_as_text(
    viewport: webdriver.Chrome, summary: Summary, image_scores: list[ImageScores], tmp_path: Path
) -> None:
    hostile = "</script><img src=x onerror=document.title=1>"
    page = html_page(summary, [replace(image_scores[0], id=hostile)], {})
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    viewport.get((tmp_path / "report.html").as_uri())
    assert ids(viewport) == [hostile]
    cards(viewport)[0].click()
    assert viewport.find_elements(By.CSS_SELECTOR, "img[src=x]") == []
    assert viewport.title == "unet <fast>: evaluation"


def test_thousand_images_are_there_in_time_and_built_as_one_scrolls(
    viewport: webdriver.Chrome, summary: Summary, image_scores: list[ImageScores], tmp_path: Path
) -> None:
    images = [replace(image_scores[number % 12], id=f"image{number:04d}") for number in range(MANY)]
    (tmp_path / "report.html").write_text(html_page(summary, images, {}), encoding="utf-8")
    start = time.perf_counter()
    viewport.get((tmp_path / "report.html").as_uri())
    first = len(ids(viewport))
    assert time.perf_counter() - start < SECONDS
    assert 0 < first < MANY / 2
    viewport.execute_script("document.getElementById('more').scrollIntoView()")
    waited(viewport, lambda: len(ids(viewport)) > first)
    assert count(viewport) == "showing 1,000 of 1,000"


def waited(page: webdriver.Chrome, condition: Callable[[], bool]) -> None:
    WebDriverWait(page, 10).until(lambda _: condition())
