"""A notebook, open in JupyterLab in a browser, and run."""

import time
from pathlib import Path

import nbformat
from lab_server import PATIENCE, Server
from playwright.sync_api import Locator, Page, Response, TimeoutError

RUN = 600  # seconds that a notebook may take on a busy machine
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
CELL = PANEL + ' .jp-Cell[data-windowed-list-index="{}"]'
SHOW = """([panel, number]) => {
    const notebook = document.querySelector(panel + ' .jp-WindowedPanel-outer');
    const here = [...notebook.querySelectorAll('.jp-Cell[data-windowed-list-index]')];
    const at = cell => Number(cell.dataset.windowedListIndex);
    const cell = here.find(cell => at(cell) === number);
    if (cell) {
        cell.scrollIntoView({block: 'start'});
        return cell.getBoundingClientRect().height > 0;
    }
    const down = here.length === 0 || at(here[here.length - 1]) < number;
    const before = notebook.scrollTop, step = 0.8 * notebook.clientHeight;
    notebook.scrollBy(0, down ? step : -step);
    if (notebook.scrollTop === before)  // at an end, where it may wait to be stirred
        notebook.scrollBy(0, down ? -step : step);
    return false;
}"""
PROMPT = """([cell, pattern]) => {
    const prompt = document.querySelector(cell + ' .jp-InputPrompt');
    return prompt && new RegExp(pattern).test(prompt.textContent);
}"""
WIDTHS = """images => Promise.all(images.map(
    image => image.decode().then(() => image.naturalWidth, () => 0)))"""
PIXELS = """image => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    canvas.getContext('2d').drawImage(image, 0, 0);
    return image.complete && image.naturalWidth ? canvas.toDataURL() : null;
}"""
OTHER = f"""([image, before]) => {{
    const now = ({PIXELS})(image);
    return now !== null && now !== before;
}}"""


class NotebookPage:
    """One notebook in a tab of its own.

    JupyterLab may keep only those cells in the page that are in sight, so each is
    scrolled to before it is looked at. Cells are counted from 0.

    Args:
        page: playwright's, with JupyterLab, showing the folder of the notebooks.
        server: JupyterLab's.
        path: of the notebook's file, which JupyterLab saves to.
    """

    def __init__(self, page: Page, server: Server, path: Path):
        self.page, self.server, self.path = page, server, path
        page.locator(".jp-DirListing-item", has_text=path.name).dblclick()
        page.locator(
            ".lm-DockPanel-tabBar .lm-mod-current", has_text=path.name
        ).wait_for()
        page.locator(PANEL).wait_for()

    @property
    def session(self) -> dict | None:
        """What the server knows of the notebook's kernel."""
        for session in self.server.ask("/api/sessions"):
            if session["path"] == f"notebooks/{self.path.name}":
                return session
        return None

    @property
    def saved(self) -> nbformat.NotebookNode:
        """The notebook as it was saved last."""
        return nbformat.read(self.path, as_version=4)

    @property
    def code(self) -> dict:
        """The code cells that are not empty, as they were saved last, by number."""
        cells = enumerate(self.saved.cells)
        return {n: c for n, c in cells if c.cell_type == "code" and c.source.strip()}

    @property
    def errors(self) -> list[str]:
        """The errors among the saved outputs, and the cells that have not run."""
        found = []
        for number, cell in self.code.items():
            if cell.execution_count is None:
                found.append(f"cell {number} has not run")
            for output in cell.outputs:
                if output.output_type == "error":
                    found.append(f"cell {number}: {output.ename}: {output.evalue}")
        return found

    def start(self) -> None:
        """Run all cells as a reader would, by the menu."""
        self.wait_for_kernel()
        self.page.locator(".lm-MenuBar-item", has_text="Run").click()
        items = self.page.locator(".lm-Menu-item")
        items.get_by_text("Run All Cells", exact=True).click()

    def finish(self) -> None:
        """Wait until all cells have run, or one has failed; save the notebook."""
        try:
            self.wait_for_prompt(min(self.code), r"\d")  # by now all are queued
            self.wait_for_prompt(max(self.code), r"^[^*]*$")
        except TimeoutError as error:
            picture = self.path.with_suffix(".png")
            self.page.screenshot(path=picture)
            message = f"{self.path.name} has not run in time: look at {picture}"
            raise AssertionError(message) from error
        with self.page.expect_response(is_save):
            self.page.keyboard.press("ControlOrMeta+s")

    def wait_for_kernel(self) -> None:
        """Wait until the page is connected to a kernel that waits for work."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            kernel = (self.session or {}).get("kernel", {})
            if kernel.get("connections") and kernel["execution_state"] == "idle":
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"{self.path.name} has no kernel: {self.session}")

    def close(self) -> None:
        """End the kernel; what is shown stays, behind the next notebook."""
        if self.session:
            self.server.ask(f"/api/sessions/{self.session['id']}", "DELETE")

    def wait_for_prompt(self, number: int, pattern: str) -> None:
        """Wait until what stands beside a cell fits a pattern."""
        self.cell(number)
        arguments = [CELL.format(number), pattern]
        self.page.wait_for_function(PROMPT, arg=arguments, timeout=RUN * 1000)

    def cell(self, number: int) -> Locator:
        """Scroll to a cell and return it."""
        self.page.wait_for_function(SHOW, arg=[PANEL, number])
        return self.page.locator(CELL.format(number))

    def widths(self, number: int, count: int) -> list[int]:
        """Return the widths of a cell's pictures, at least so many, 0 if broken."""
        pictures = self.cell(number).locator(".jp-OutputArea img")
        pictures.nth(count - 1).wait_for()
        return pictures.evaluate_all(WIDTHS)


def is_save(answer: Response) -> bool:
    """Tell whether this is the server's answer to a notebook that was sent to it."""
    return answer.request.method == "PUT" and "/api/contents/" in answer.url


def pixels(picture: Locator) -> str:
    """Return what a picture shows."""
    picture.page.wait_for_function(OTHER, arg=[picture.element_handle(), ""])
    return picture.evaluate(PIXELS)


def wait_for_other(picture: Locator, before: str) -> None:
    """Wait until a picture shows something else."""
    picture.page.wait_for_function(OTHER, arg=[picture.element_handle(), before])
