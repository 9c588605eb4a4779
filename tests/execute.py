"""Execute notebooks from top to bottom and save them as the repository keeps them.

    .venv/bin/python tests/execute.py notebooks/day07_attention.ipynb ...

Figures, tables and values stay. Widget states, timings and the frames of bertviz's
views (a megabyte each) do not: what remains of a view is its line of plain text.
"""

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.lanes import variables  # noqa: E402


def execute(path: Path) -> None:
    """Execute one notebook in place, under the tests' own variables."""
    notebook = nbformat.read(path, as_version=4)
    kept = {key: notebook.metadata[key] for key in ("kernelspec", "language_info")}
    folder = {"metadata": {"path": str(path.parent)}}
    how = {"timeout": 600, "kernel_name": "python3", "resources": folder}
    client = NotebookClient(notebook, **how)
    env = variables(oldest=True)  # the lane in which outputs are compared
    paths = os.pathsep.join([str(ROOT), env["PYTHONPATH"]])
    client.execute(env={**env, "PYTHONPATH": paths})
    notebook.metadata = nbformat.from_dict(kept)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if "<iframe" in output.get("data", {}).get("text/html", ""):
                del output["data"]["text/html"]
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        execute(Path(name).resolve())
        print(name)
