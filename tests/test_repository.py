"""The repository as a whole: its files, its versions, its links, its notebooks."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
NOTEBOOKS = [path for path in NOTEBOOKS if ".ipynb_checkpoints" not in path.parts]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "data").rglob("*.md")]
DOCUMENTS += [*(ROOT / "interview_questions").glob("*.md")]
ADDRESS = re.compile(
    r"(?:github\.com|githubusercontent\.com|/github|/gh)/([\w.-]+)/gpt2"
)
PINNED = ("requirements.txt", "requirements-test.txt", "requirements-bare.txt")


def relative(path):
    return str(path.relative_to(ROOT))


each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=relative)


def files():
    """Every file of the project's own; nothing that git ignores."""
    aside = {".git", ".venv", "__pycache__", ".pytest_cache", ".ruff_cache", "runs"}
    aside |= {".ipynb_checkpoints", "build", "dist"}
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in aside]
        yield from (Path(folder) / name for name in names)


def cells(path, kind):
    notebook = json.loads(path.read_text("utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_pins_are_exact_and_no_older_than_the_floors():
    lines = [line for file in PINNED for line in (ROOT / file).read_text().splitlines()]
    lines = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w-]+==\d+(\.\d+)*", line) for line in lines), lines
    pins = dict(line.split("==") for line in lines)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    floors = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    floors = [Requirement(floor) for floor in floors]
    assert {floor.name for floor in floors} == set(pins)
    for floor in floors:
        assert floor.specifier.contains(pins[floor.name]), floor


def test_everything_imported_is_listed():
    """Nothing works only because another package happens to bring it along."""
    lines = [(ROOT / file).read_text().splitlines() for file in PINNED]
    listed = [{canonical(line.split("==")[0]) for line in file} for file in lines]
    brought = packages_distributions()
    own = {"helpers", "tests", *sys.stdlib_module_names}
    own |= {path.stem for path in (ROOT / "tests").rglob("*.py")}
    for path, source in sources():
        for name in imported(ast.parse(source)) - own:
            origins = {canonical(origin) for origin in brought.get(name, [])}
            known = set.union(*listed) if "tests" in path.parts else listed[0]
            assert origins & known, f"{relative(path)} imports {name}"


def sources():
    for path in [*(ROOT / "helpers").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        yield path, path.read_text("utf-8")
    for path in NOTEBOOKS:
        for cell in cells(path, "code"):
            source = "".join(cell["source"])
            yield path, re.sub(r"(?m)^\s*[%!].*$", "", source)


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(tree):
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_version_is_the_same_everywhere():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()


def test_pre_commit_runs_the_ruff_that_is_pinned():
    pin = re.search(r"^ruff==(.+)$", (ROOT / PINNED[1]).read_text(), re.M)[1]
    assert f"rev: v{pin}\n" in (ROOT / ".pre-commit-config.yaml").read_text()


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_ruff(command):
    command = [sys.executable, "-m", "ruff", *command, "--no-cache", str(ROOT)]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_no_file_is_large():
    large = {relative(path): path.stat().st_size for path in files()}
    assert {name: size for name, size in large.items() if size > 20e6} == {}


def test_addresses_name_one_owner():
    owners = {}
    for path in files():
        if path.suffix in {".md", ".ipynb", ".toml", ".cff", ".py"}:
            for owner in ADDRESS.findall(path.read_text("utf-8")):
                owners.setdefault(owner, []).append(relative(path))
    owners.pop("your-name", None)  # the example in CONTRIBUTING
    assert len(owners) == 1, owners


@pytest.mark.parametrize("path", [*DOCUMENTS, *NOTEBOOKS], ids=relative)
def test_links_lead_to_files(path):
    text = path.read_text("utf-8")
    if path in NOTEBOOKS:
        text = "\n".join("".join(cell["source"]) for cell in cells(path, "markdown"))
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
    links = re.findall(r"\]\(([^()\s]+)\)|(?:src|href)=\"([^\"]+)\"", text)
    for link in (markdown or html for markdown, html in links):
        if not re.match(r"[a-z]+:|#|//", link):
            place = path.parent / link.split("#")[0].split("?")[0]
            assert place.exists(), f"{link} leads nowhere"


@each_notebook
def test_badges_of_a_notebook_lead_to_itself(path):
    first = "".join(json.loads(path.read_text("utf-8"))["cells"][0]["source"])
    badges = re.findall(r"https://[^\s)\"]+\.ipynb", first)
    assert badges, "the first cell has no badge"
    for badge in badges:
        assert badge.replace("%2F", "/").endswith("/" + relative(path)), badge


@each_notebook
def test_notebook_is_executed_from_top_to_bottom(path):
    ran = [cell for cell in cells(path, "code") if "".join(cell["source"]).strip()]
    counts = [cell["execution_count"] for cell in ran]
    assert counts == list(range(1, len(counts) + 1))


@each_notebook
def test_notebook_can_be_tested_and_shown_on_github(path):
    metadata = json.loads(path.read_text("utf-8"))["metadata"]
    for widget in metadata.get("widgets", {}).values():
        assert "state" in widget
    for number, cell in enumerate(cells(path, "code")):
        # nbval accepts anything there, a stub's right answer too.
        assert "raises-exception" not in cell["metadata"].get("tags", [])
        outputs = json.dumps(cell["outputs"])
        assert len(outputs) < 1e6, f"code cell {number}"
        assert "<iframe" not in outputs, f"code cell {number}: use tests/execute.py"


@each_notebook
def test_notebook_has_no_path_of_the_author(path):
    text = path.read_text("utf-8")
    assert str(ROOT) not in text
    assert not re.search(r"/home/\w|/Users/\w|/root/", text)
