"""What a day consists of: every file that CONTRIBUTING names is there and agrees."""

import argparse
import re
import shutil
import warnings

import pytest

from helpers.cli import address
from helpers.options import UsageError
from tests.days import PATHS, ROOT, Day

README = (ROOT / "README.md").read_text("utf-8")
CHANGES = (ROOT / "CHANGELOG.md").read_text("utf-8")
QUESTIONS = [
    (ROOT / "interview_questions" / f"{level}_questions.md").read_text("utf-8")
    for level in ("easy", "medium", "hard")
]
each_day = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


@each_day
def test_readme_has_its_row_and_both_have_its_minutes(path):
    rows = [line for line in README.splitlines() if f"(notebooks/{path.name})" in line]
    assert len(rows) == 1
    cells = [cell.strip() for cell in rows[0].strip("|").split("|")]
    name, question, learned, minutes, status = cells
    day = Day(path)
    assert name.startswith(f"[{day.number} ")
    assert question in day.prose[0]
    assert learned and status == "ready"
    assert int(minutes) == day.minutes.total
    assert day.head("").rstrip("*") in day.prose[0]


@each_day
def test_links_lead_to_the_days_before_and_after(path):
    place, last = PATHS.index(path), Day(path).prose[-1]
    beside = PATHS[max(0, place - 1) : place] + PATHS[place + 1 : place + 2]
    assert re.findall(r"\]\((day\d\d_\w+\.ipynb)\)", last) == [p.name for p in beside]


@each_day
def test_exercises_have_checks_and_solutions_and_figures_a_module(path):
    day, solution = Day(path), Day(path.parent / "solutions" / path.name)
    assert len(day.exercises) >= 3
    assert solution.exercises == day.exercises
    for name in day.exercises:
        assert name.startswith(path.stem[:5])
    assert (ROOT / "helpers" / "plots" / f"{path.stem[:5]}.py").exists()


@each_day
def test_questions_and_news_mention_it(path):
    number = Day(path).number
    asked = [text for text in QUESTIONS if f"\n## Day {number}: " in text]
    assert len(asked) >= 2
    days = re.findall(r"Days?\s(\d+)(?:\s(?:to|and)\s(\d+))?", CHANGES)
    assert any(int(a) <= number <= int(b or a) for a, b in days)


@each_day
def test_cells_measure_as_cells_that_people_like_to_read(path):
    for phrase in Day(path).unusual:
        warnings.warn(f"{path.stem}: {phrase}", stacklevel=1)


def test_a_notebook_is_measured():
    day = Day(ROOT / "notebooks" / "template.ipynb")
    assert day.exercises == ["day03_softmax"]
    assert day.minutes.exercises == 5 and day.minutes.total == 15
    assert day.measures["median lines"] == 3


@pytest.fixture
def copy(tmp_path):
    (tmp_path / "notebooks").mkdir()
    for name in ["README.md", "pyproject.toml", "notebooks/template.ipynb"]:
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_address_is_written_everywhere_and_back(copy):
    before = {path: path.read_bytes() for path in copy.rglob("*.*")}
    old = address.current(copy)
    assert address.write(copy, "some-one/a.course") == 3
    texts = {path: path.read_text("utf-8") for path in copy.rglob("*.*")}
    assert not any(re.search(rf"github\S*{old}", text) for text in texts.values())
    assert "\ncd a.course\n" in texts[copy / "README.md"]
    assert address.write(copy, old) == 3
    assert {path: path.read_bytes() for path in copy.rglob("*.*")} == before


@pytest.mark.parametrize(
    "wrong", ["name", "a/b/c", "-a/b", "a b/c", "https://x.org/a/b"]
)
def test_address_of_another_form_is_refused(wrong):
    with pytest.raises(UsageError, match="expected OWNER/NAME as on GitHub, got"):
        address.run(argparse.Namespace(address=wrong))
