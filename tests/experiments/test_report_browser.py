"""The report and the index of runs in headless Chromium: mouse, keyboard, and inert text."""

import json
import os
import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from experiments.commands import report, runs
from tests.support.report_cases import (
    ATTACKS,
    hostile,
    hostile_comparison,
    recorded_comparison,
    recorded_run,
)

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTHS = (360, 1440)


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    chromium, chromedriver = map(shutil.which, ("chromium", "chromedriver"))
    if not (chromium and chromedriver):
        missing = "no chromium and chromedriver on this machine"
        if os.environ.get("EVA_REQUIRE_BROWSER") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(chromedriver))
    started.get("about:blank")
    started.get_log("performance")  # of the browser's own first page
    yield started
    started.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A run, a comparison, a hostile one of both, and the index, each as a file."""
    folder = tmp_path_factory.mktemp("runs")
    recorded_run(folder / "run", rounds=3)
    recorded_comparison(folder / "comparison", seeds=(0, 1), rounds=2)
    hostile(folder / "hostile")
    for name in ("run", "comparison", "hostile"):
        assert report.main([str(folder / name)]) == 0
    pages = {name: (folder / name / "report.html").as_uri() for name in os.listdir(folder)}
    assert runs.main([str(folder)]) == 0
    attacked = tmp_path_factory.mktemp("elsewhere") / "attacked"
    hostile_comparison(attacked)
    assert report.main([str(attacked)]) == 0
    pages["attacked"] = (attacked / "report.html").as_uri()
    return pages | {"index": (folder / "index.html").as_uri()}


@pytest.fixture
def visit(driver, pages):
    """Open a page at a width and in a theme; afterwards nothing may have gone wrong."""

    def load(name, width=1440, theme="light"):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        media = [{"name": "prefers-color-scheme", "value": theme}]
        media += [{"name": "prefers-reduced-motion", "value": "reduce"}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        driver.get(pages[name])
        return driver

    yield load
    assert driver.get_log("browser") == []
    messages = [json.loads(row["message"])["message"] for row in driver.get_log("performance")]
    asked = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    urls = {params["request"]["url"].partition(":")[0] for params in asked}
    assert urls <= {"file", "data"}


def all_of(driver, css):
    return driver.find_elements("css selector", css)


def until(driver, there):
    """Return what ``there()`` finds, as soon as the page has drawn it."""
    for _ in range(300):
        found = there()
        if found:
            return found
        driver.execute_async_script("requestAnimationFrame(arguments[0])")
    raise AssertionError("the page did not draw it")


def grown(driver):
    """The first genealogy, drawn."""
    tree = next(t for t in all_of(driver, ".tree") if t.is_displayed())
    driver.execute_script("arguments[0].scrollIntoView()", tree)
    until(driver, lambda: tree.find_elements("css selector", ".nodes > li"))
    return tree


def opened(details):
    """The body of a node, which is drawn a moment after the node opens."""
    return until(details.parent, lambda: details.find_elements("css selector", ".body"))[0]


def focused(driver):
    return driver.switch_to.active_element


def test_the_tree_expands_by_click(visit):
    tree = grown(visit("run"))
    first = tree.find_element("css selector", ".nodes > li > details")
    assert not first.find_elements("css selector", ".body"), "drawn before it was opened"
    first.find_element("css selector", "summary").click()
    body = opened(first)
    assert "Best response" in body.text
    children = body.find_elements("css selector", ":scope > .nodes > li")
    meta = first.find_element("css selector", ".meta").text
    assert bool(children) == ("descendant" in meta)
    assert children, "deepest first: the first family has descendants"


def test_the_tree_expands_by_keyboard(visit):
    driver = visit("run")
    tree = grown(driver)
    order = tree.find_element("css selector", "select")
    driver.execute_script("arguments[0].focus()", order)
    order.send_keys(Keys.TAB)
    root = focused(driver)
    assert root.tag_name == "summary"
    root.send_keys(Keys.ENTER)
    details = root.find_element("xpath", "..")
    opened(details)
    root.send_keys(Keys.ARROW_DOWN)
    child = focused(driver)
    assert child.find_element("xpath", "ancestor::details[2]") == details
    child.send_keys(Keys.ARROW_RIGHT)
    opened(child.find_element("xpath", ".."))
    child.send_keys(Keys.ARROW_LEFT)
    child.send_keys(Keys.ARROW_LEFT)
    assert focused(driver) == root
    root.send_keys(Keys.ARROW_LEFT)
    assert not details.get_attribute("open")


def test_the_filter_finds_by_text_and_operator(visit):
    driver = visit("run")
    tree = grown(driver)
    nodes = json.loads(tree.find_element("css selector", "script").get_attribute("textContent"))
    box = tree.find_element("css selector", "input")
    families = tree.find_element("css selector", "[role=status]").text
    operator = next(row[2] for row in nodes if row[2])
    box.send_keys(operator.upper())
    wanted = [row for row in nodes if operator in (row[2] or "") or operator in str(row[0])]
    status = f"{len(wanted)} of {len(nodes)} prompts match"
    assert tree.find_element("css selector", "[role=status]").text == status
    tree.find_element("css selector", ".nodes > li summary").click()
    body = opened(tree.find_element("css selector", ".nodes > li details"))
    assert body.find_element("css selector", ".descent li").text
    box.clear()
    box.send_keys("x", Keys.BACKSPACE)
    assert tree.find_element("css selector", "[role=status]").text == families


def column(table, i):
    """What the cells of a column are sorted by."""
    script = (
        "return [...arguments[0].tBodies[0].rows].map(r => r.cells[arguments[1]].dataset.value)"
    )
    return table.parent.execute_script(script, table, i)


def test_a_table_sorts_both_ways_by_click_and_by_keyboard(visit):
    driver = visit("comparison")
    table = next(t for t in all_of(driver, "table.sortable") if t.is_displayed())
    heads = table.find_elements("css selector", "th")
    heads[1].find_element("css selector", "button").click()
    assert heads[1].get_attribute("aria-sort") == "ascending"
    values = [float(value) for value in column(table, 1)]
    assert values == sorted(values)
    assert len(set(values)) > 2
    focused(driver).send_keys(Keys.ENTER)
    assert heads[1].get_attribute("aria-sort") == "descending"
    assert [float(value) for value in column(table, 1)] == values[::-1]
    heads[0].find_element("css selector", "button").send_keys(Keys.SPACE)
    assert heads[1].get_attribute("aria-sort") is None
    assert column(table, 0) == sorted(column(table, 0))


def test_a_switch_shows_one_panel_and_obeys_arrow_keys(visit):
    driver = visit("comparison")
    switch = next(s for s in all_of(driver, ".switch") if s.is_displayed())
    radios = switch.find_elements("css selector", ":scope > fieldset input")
    panels = switch.find_elements("css selector", ":scope > .panel")
    assert [panel.is_displayed() for panel in panels] == [True] + [False] * (len(panels) - 1)
    radios[0].send_keys(Keys.ARROW_RIGHT)
    assert [panel.is_displayed() for panel in panels[:2]] == [False, True]


def test_the_theme_follows_the_system_and_then_the_button(visit):
    driver = visit("run", theme="dark")
    script = "return getComputedStyle(document.body).backgroundColor"
    dark, button = driver.execute_script(script), driver.find_element("id", "theme")
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    light = driver.execute_script(script)
    assert button.get_attribute("aria-pressed") == "false"
    assert sum(map(int, light[4:-1].split(","))) > 600 > sum(map(int, dark[4:-1].split(",")))
    driver.refresh()
    assert driver.execute_script(script) == dark


def test_the_first_tab_skips_to_the_report(visit):
    driver = visit("run")
    driver.find_element("tag name", "body").send_keys(Keys.TAB)
    link = focused(driver)
    assert link.text == "Skip to the report"
    link.send_keys(Keys.ENTER)
    assert focused(driver).get_attribute("id") == "main"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_difference_is_on_the_first_screen(visit, width):
    """Of 360 x 740 points, and of a laptop: the numbers, and the interval of the first row."""
    driver = visit("comparison", width)
    height = 740 if width == 360 else 900
    row = driver.find_element("css selector", ".forest [role=row].decided")
    assert "+10.0" in row.text
    assert row.rect["y"] + row.rect["height"] <= height
    assert row.rect["x"] >= 0
    assert row.rect["x"] + row.rect["width"] <= width


PLACES = """
const row = document.querySelector(".forest [role=row].decided");
const box = (css) => row.querySelector(css).getBoundingClientRect();
const [track, whisker, point] = [".track > span", ".whisker", ".point"].map(box);
const zero = row.parentElement.style.getPropertyValue("--zero");
return [track.left + zero * track.width, whisker.left, point.left + point.width / 2,
        whisker.right, track.right];
"""


@pytest.mark.parametrize("width", WIDTHS)
def test_the_forest_plot_draws_the_interval_to_scale(visit, width):
    """Of 10 points, 5 to 15, that lie to the right of 0."""
    zero, low, mean, high, right = visit("comparison", width).execute_script(PLACES)
    assert zero < low < mean < high <= right
    assert (mean - zero) / (high - zero) == pytest.approx(10 / 15, abs=0.02)
    assert (low - zero) / (high - zero) == pytest.approx(5 / 15, abs=0.02)


NAMES = "return [...document.querySelectorAll('.runs tbody tr')].filter(r => !r.hidden)"
NAMES += ".map(r => r.dataset.name)"


def test_the_index_filters_by_kind_creator_and_name(visit):
    driver = visit("index")
    assert {*driver.execute_script(NAMES)} == {"run", "comparison", "hostile"}
    kind, creator = (
        Select(driver.find_element("css selector", f"[data-filter={name}]"))
        for name in ("kind", "creator")
    )
    kind.select_by_visible_text("comparison")
    assert driver.execute_script(NAMES) == ["comparison"]
    assert driver.find_element("id", "count").text == "1 of 3 runs and comparisons"
    kind.select_by_visible_text("all")
    creator.select_by_visible_text("eva")
    assert "hostile" not in driver.execute_script(NAMES)
    creator.select_by_visible_text("all")
    driver.find_element("css selector", "[data-filter=name]").send_keys("HOST")
    assert driver.execute_script(NAMES) == ["hostile"]


def test_two_runs_are_compared_side_by_side_and_a_third_replaces_the_first(visit):
    driver = visit("index")
    side = driver.find_element("id", "side")
    boxes = {
        row.get_attribute("data-name"): row.find_element("css selector", ".pick input")
        for row in all_of(driver, ".runs tbody tr")
    }
    boxes["run"].click()
    assert "Choose a second run" in side.text
    boxes["hostile"].send_keys(Keys.SPACE)
    assert side.find_element("css selector", "h2").text == "run and hostile"
    assert "Settings that differ" in side.text
    assert side.text.count(ATTACKS[0]) > 1, "shown as text, as suite and as setting"
    assert len(side.find_elements("css selector", "figure svg.lines")) > 2
    boxes["comparison"].click()
    assert side.find_element("css selector", "h2").text == "hostile and comparison"
    assert not boxes["run"].is_selected()
    assert not all_of(driver, "img, iframe, [onload], [onerror]")


def test_the_index_opens_a_report(visit):
    driver = visit("index")
    driver.find_element("link text", "comparison").click()
    assert driver.find_element("css selector", "#finding h2").text == "Finding"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_index_is_never_wider_than_the_screen(visit, width):
    driver = visit("index", width)
    for box in all_of(driver, ".pick input")[:2]:
        box.click()
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_index_can_be_read(visit, theme):
    driver = visit("index", theme=theme)
    for box in all_of(driver, ".pick input")[:2]:
        box.click()
    assert driver.execute_script(CONTRAST) == []


UNFOLD = """
for (const panel of document.querySelectorAll(".panel")) panel.hidden = false;
const closed = [...document.querySelectorAll("details:not([open])")];
for (const details of closed) details.open = true;
requestAnimationFrame(() => requestAnimationFrame(() => arguments[0](closed.length)));
"""


def unfold(driver):
    """Open everything, what appears on opening too, and draw the first genealogy."""
    driver.execute_async_script(UNFOLD)
    tree = grown(driver)
    while driver.execute_async_script(UNFOLD):
        pass
    return tree


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["run", "comparison", "hostile", "attacked"])
def test_the_page_is_never_wider_than_the_screen(visit, name, width):
    driver = visit(name, width)
    unfold(driver)
    script = "return document.documentElement.scrollWidth"
    assert driver.execute_script(script) <= width


def test_the_youngest_descendant_still_has_room_on_a_phone(visit):
    last = unfold(visit("hostile", 360)).find_elements("css selector", "summary")[-1]
    assert "generation 24" in last.text
    assert last.rect["width"] > 180


CONTRAST = """
const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
function paint(colours) {
  canvas.clearRect(0, 0, 1, 1);
  for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
}
function luminance(rgb) {
  const [r, g, b] = rgb.map((v) => v / 255).map((v) =>
    v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const low = [];
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  if (!own || !element.checkVisibility({opacityProperty: true})) continue;
  const style = getComputedStyle(element);
  const under = [];
  for (let up = element; up; up = up.parentElement)
    under.unshift(getComputedStyle(up).backgroundColor);
  const colour = element.namespaceURI.endsWith("svg") ? style.fill : style.color;
  const [a, b] = [paint(under), paint([...under, colour])].map(luminance);
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) low.push([element.tagName, element.className, element.textContent, ratio]);
}
return low;
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["run", "comparison"])
def test_all_text_stands_out_from_its_ground(visit, name, theme):
    """WCAG 2.2, 1.4.3: a contrast of 4.5 to 1."""
    driver = visit(name, theme=theme)
    unfold(driver)
    assert driver.execute_script(CONTRAST) == []


def test_hostile_text_is_shown_and_does_nothing(visit):
    """An alert would make the next command fail."""
    driver = visit("hostile")
    shown = unfold(driver).text
    everything = driver.find_element("tag name", "body").text
    for attack in ATTACKS[:3]:
        assert shown.count(attack) >= 3, "as prompt, as best and as worst response"
        assert everything.count(attack) > 20
    assert "\u202e" not in driver.page_source, "text that is turned round"
    assert not all_of(driver, "img, iframe, [onload], [onerror]")
    assert len(all_of(driver, "script:not([type])")) == 1


def test_no_script_but_the_page_s_own_would_run(driver, pages):
    driver.get(pages["hostile"])
    script = """
        const script = document.createElement("script");
        script.textContent = "window.bad = true";
        document.body.append(script);
        return window.bad"""
    assert driver.execute_script(script) is None
    assert "Content Security Policy" in driver.get_log("browser")[0]["message"]
