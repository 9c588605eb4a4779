"""Each exercise's check: its table, right answers in other styles, odd answers."""

import importlib.util
from pathlib import Path

import pytest

from helpers import checks

BANKS = sorted((Path(__file__).parent / "wrong_answers").glob("day*.py"))
EXERCISES = sorted(n for n in vars(checks) if n.startswith("day") and "_" in n)
EXERCISES = [name for name in EXERCISES if hasattr(getattr(checks, name), "wrong")]


def read_bank(path: Path):
    spec = importlib.util.spec_from_file_location(f"wrong_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODULES = [read_bank(path) for path in BANKS]
WRONG = {name: bank.WRONG[name] for bank in MODULES for name in bank.WRONG}
RIGHT = {name: bank.RIGHT[name] for bank in MODULES for name in bank.RIGHT}
TABLES = {name: getattr(checks, name).wrong for name in EXERCISES}


def rows(tables: dict) -> list:
    return [(name, *row) for name, entries in tables.items() for row in entries]


def say(name: str, answer) -> str:
    try:
        return getattr(checks, name)(answer)
    except AssertionError as error:  # the days that have no table yet
        if hasattr(getattr(checks, name), "wrong"):
            raise
        return str(error)


@pytest.fixture(autouse=True)
def learner(monkeypatch):
    monkeypatch.delenv("COURSE_STRICT", raising=False)


def stub(*args, **options):
    raise NotImplementedError


def test_no_answers_to_exercises_that_are_not_there():
    assert set(WRONG) | set(RIGHT) <= set(vars(checks))


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_has_a_table_and_right_answers(name):
    assert len(TABLES[name]) >= 3 and len(RIGHT.get(name, [])) >= 1


TABLE_ROWS = [(n, message, f) for n, t in TABLES.items() for message, f in t.items()]


@pytest.mark.parametrize(("name", "message", "function"), TABLE_ROWS)
def test_each_wrong_function_gets_its_own_message(name, message, function):
    assert say(name, function).startswith(message)


@pytest.mark.parametrize("name", EXERCISES)
def test_the_right_function_is_correct(name):
    assert say(name, getattr(checks, name).right) == "correct"


@pytest.mark.parametrize(("name", "mistake", "answer", "fragment"), rows(WRONG))
def test_other_wrong_answers_are_named(name, mistake, answer, fragment):
    message = say(name, answer)
    assert fragment in message and "\n" not in message


RIGHT_ROWS = [(name, answer) for name, answers in RIGHT.items() for answer in answers]


@pytest.mark.parametrize(("name", "answer"), RIGHT_ROWS)
def test_right_answers_in_other_styles(name, answer):
    assert say(name, answer) == "correct"


@pytest.mark.parametrize("name", EXERCISES)
def test_stubs_are_not_attempted_yet_and_fail_where_answers_are_demanded(
    name, monkeypatch
):
    assert say(name, stub) == "not attempted yet"
    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(AssertionError, match=f"{name}: not attempted yet"):
        say(name, stub)
