"""One JupyterLab and one Chromium serve all tests of this folder."""

import nbformat
import pytest

from tests import lanes

TRICKY = "\"</script>\" & 'so'\n😀 Mia ran."
VIEWS = [
    "from helpers.models import load_model\n"
    "from helpers.attention import show_heads, show_model, show_neurons\n"
    'model, tokenizer = load_model("pocket", device="cpu")',
    f"show_heads(model, tokenizer, {TRICKY!r})",
    f"show_model(model, tokenizer, {TRICKY!r})",
    f"show_neurons(model, tokenizer, {TRICKY!r})",
]
OWN = {"views": VIEWS, "wrong": ["1 / 0", "2"]}  # notebooks of the tests' own


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Copies of the course's notebooks, in which nothing has been run."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "notebooks").mkdir()
    notebooks = {
        path.stem: nbformat.read(path, as_version=4)
        for path in sorted((lanes.ROOT / "notebooks").glob("*.ipynb"))
    }
    for name, sources in OWN.items():
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        kernel = {"name": "python3", "display_name": "Python 3"}
        notebooks[name] = nbformat.v4.new_notebook(
            cells=cells, metadata={"kernelspec": kernel}
        )
    for name, notebook in notebooks.items():
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, folder / "notebooks" / f"{name}.ipynb")
    return folder


@pytest.fixture(scope="module")
def server(folder):
    """A JupyterLab on that folder."""
    from lab_server import serving

    with serving(folder) as found:
        yield found


@pytest.fixture(scope="module")
def chromium():
    """A Chromium that reaches this computer only."""
    from chromium import installed, launched

    with launched(installed()) as found:
        yield found


@pytest.fixture(scope="module")
def window(chromium):
    """The window in which all notebooks are opened."""
    from chromium import window

    with window(chromium) as found:
        yield found


@pytest.fixture(scope="module")
def order(request):
    """The notebooks that the tests of this run name, in their order."""
    items = [item for item in request.session.items if item.path == request.path]
    calls = [getattr(item, "callspec", None) for item in items]
    names = [call.params.get("notebook") for call in calls if call]
    return [name for name in dict.fromkeys(names) if name]


@pytest.fixture(scope="module")
def start(order, window, server, folder):
    """A function that starts a notebook once, in one of two tabs with JupyterLab."""
    from notebook_page import NotebookPage

    tabs, started = {}, {}

    def start(name):
        path, tab = folder / "notebooks" / f"{name}.ipynb", order.index(name) % 2
        assert path.exists(), f"notebooks/{path.name} is missing"
        if tab not in tabs:
            place = f"/lab/workspaces/{tab}/tree/notebooks"
            tabs[tab] = window.open(server.address(place))
        if name not in started:
            started[name] = NotebookPage(tabs[tab], server, path)
            started[name].start()
        return started[name]

    return start


@pytest.fixture(scope="module")
def notebook(request, order, start):
    """The notebook that a test names, open, and all its cells run."""
    found = start(request.param)
    for following in order[order.index(request.param) + 1 :][:1]:
        start(following)  # it runs in the other tab while this one is looked at
    found.finish()
    yield found
    found.close()
