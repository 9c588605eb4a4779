"""The notebooks in JupyterLab, in a real browser that reaches this computer only."""

import nbformat
import pytest
from chromium import NO_BROWSER, installed

from tests.lanes import ROOT

pytestmark = pytest.mark.skipif(installed() is None, reason=NO_BROWSER)
DAYS = ["day04_generating", "day07_attention"]  # sliders, and pages in frames


def opened(*names):
    return pytest.mark.parametrize("notebook", names, indirect=True)


def figures(notebook):
    """How many figures the outputs of each cell hold, where there are any."""
    found = {}
    for number, cell in enumerate(notebook.cells):
        outputs = [output.get("data", {}) for output in cell.get("outputs", [])]
        found[number] = sum("image/png" in data for data in outputs)
    return {number: count for number, count in found.items() if count}


def framed(notebook):
    """The numbers of the cells that show a page in a frame."""
    for number, cell in notebook.code.items():
        shown = [output.get("data", {}).get("text/html", "") for output in cell.outputs]
        if any("srcdoc=" in html for html in shown):
            yield number


@opened(*DAYS)
def test_a_day_runs_and_shows_its_figures(notebook, window):
    assert notebook.errors == []
    published = nbformat.read(ROOT / "notebooks" / notebook.path.name, 4)
    wanted = figures(published)
    assert wanted and figures(notebook.saved) == wanted
    for number, count in wanted.items():
        widths = notebook.widths(number, count)
        assert len(widths) == count and all(widths), f"cell {number}: {widths}"
    assert window.asked == []


@opened("day04_generating")
@pytest.mark.parametrize(
    ("slider", "key"), [("token", "ArrowRight"), ("temperature", "End")]
)
def test_a_slider_changes_the_picture(notebook, window, slider, key):
    from notebook_page import pixels, wait_for_other

    [number] = [n for n, c in notebook.code.items() if "TokenExplorer(" in c.source]
    cell = notebook.cell(number)
    picture = cell.locator(".jp-OutputArea img")
    before = pixels(picture)
    label = notebook.page.get_by_text(slider, exact=True)
    cell.locator(".widget-slider", has=label).get_by_role("slider").focus()
    notebook.page.keyboard.press(key)
    wait_for_other(picture, before)
    assert window.asked == []


@opened("views", "day07_attention")
def test_views_draw_lines_that_follow_the_pointer(notebook, window):
    from attention_frame import drawn, drawn_under, drawn_when, tokens

    assert notebook.errors == []
    kinds = set()
    for number in framed(notebook):
        place = notebook.cell(number).locator("iframe[srcdoc]")
        kinds.add(place.get_attribute("title").split(" of ")[0])
        frame = place.content_frame
        assert drawn_when(frame, len), f"cell {number} has drawn no line"
        left = tokens(frame)
        seen = [drawn(frame)]
        for token in (left.last, left.first):
            seen.append(drawn_under(token, frame, seen))
        assert all(seen), f"in cell {number} the pointer has wiped out all lines"
        different = seen[0] != seen[1] != seen[2] != seen[0]
        assert different, f"in cell {number} the lines do not follow the pointer"
    assert kinds == {"head view", "model view", "neuron view"}
    assert window.asked == []


@opened("wrong")
def test_an_error_in_a_cell_is_seen(notebook):
    errors = ["cell 0: ZeroDivisionError: division by zero", "cell 1 has not run"]
    assert notebook.errors == errors


def test_what_would_leave_the_computer_is_refused_and_told(chromium):
    from chromium import window

    inner = "<script src=https://script.example/d3.js></script>"
    outer = f'<iframe sandbox="allow-scripts" srcdoc="{inner}"></iframe>'
    asked = "fetch('http://192.0.2.1/x').then(answer => answer.status)"
    with window(chromium) as outside:
        page = outside.open("about:blank")
        with page.expect_console_message(lambda message: message.type == "error"):
            page.set_content(outer)
        assert page.evaluate(asked + ".catch(() => 'refused')") == "refused"
    assert outside.asked == ["script.example:443", "http://192.0.2.1/x"]
