"""The checks catch every wrong answer, by its mistake, and accept every right one."""

import importlib.util
from pathlib import Path

import pytest

from helpers import checks

BANKS = sorted((Path(__file__).parent / "wrong_answers").glob("day*.py"))
EXERCISES = sorted(
    name for name in vars(checks) if name.startswith("day") and "_" in name
)


def read_bank(path: Path):
    spec = importlib.util.spec_from_file_location(f"wrong_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODULES = [read_bank(path) for path in BANKS]
WRONG = {name: bank.WRONG[name] for bank in MODULES for name in bank.WRONG}
RIGHT = {name: bank.RIGHT[name] for bank in MODULES for name in bank.RIGHT}


def stub(*args, **options):
    raise NotImplementedError


def test_there_are_exercises():
    days = {name.partition("_")[0] for name in EXERCISES}
    assert {path.stem for path in BANKS} == days and len(days) >= 3


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_has_wrong_and_right_answers(name):
    assert len(WRONG.get(name, [])) >= 3
    assert len(RIGHT.get(name, [])) >= 1


def test_no_answers_to_exercises_that_are_not_there():
    assert set(WRONG) | set(RIGHT) <= set(EXERCISES)


@pytest.mark.parametrize(
    ("name", "answer", "fragment"),
    [
        pytest.param(name, answer, fragment, id=f"{name}-{mistake}".replace(" ", "_"))
        for name, entries in WRONG.items()
        for mistake, answer, fragment in entries
    ],
)
def test_wrong_answers_are_caught_and_named(name, answer, fragment):
    with pytest.raises(AssertionError) as caught:
        getattr(checks, name)(answer)
    message = str(caught.value)
    assert fragment and fragment in message


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        pytest.param(name, answer, id=f"{name}-{number}")
        for name, answers in RIGHT.items()
        for number, answer in enumerate(answers)
    ],
)
def test_right_answers_are_accepted(name, answer):
    assert getattr(checks, name)(answer) == "correct"


@pytest.mark.parametrize("name", EXERCISES)
def test_stubs_are_not_attempted_yet(name, monkeypatch):
    monkeypatch.delenv("COURSE_STRICT", raising=False)
    assert getattr(checks, name)(stub) == "not attempted yet"


@pytest.mark.parametrize("name", EXERCISES)
def test_stubs_fail_where_answers_are_demanded(name, monkeypatch):
    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(AssertionError, match=f"{name} is not attempted yet"):
        getattr(checks, name)(stub)
