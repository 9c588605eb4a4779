"""Each exercise's check: its table, right answers in other styles, odd answers."""

import importlib.util
import random
import threading
import time
from pathlib import Path

import pytest
import torch

from helpers import checks

BANKS = sorted((Path(__file__).parent / "wrong_answers").glob("day*.py"))
EXERCISES = sorted(n for n in vars(checks) if n.startswith("day") and "_" in n)


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
    return getattr(checks, name)(answer)


@pytest.fixture(autouse=True)
def learner(monkeypatch):
    monkeypatch.delenv("COURSE_STRICT", raising=False)


def stub(*args, **options):
    raise NotImplementedError


def test_no_answers_to_exercises_that_are_not_there():
    assert set(WRONG) | set(RIGHT) <= set(EXERCISES)


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


class Anything:
    def __eq__(self, other):
        return True


ODD = [{}, {"a": 1}, "text", b"", (i for i in ()), torch.empty(0), Anything(), object()]
ODD += [[], [[]], (), (1, None), {1}, 1j, float("nan"), True, torch.zeros(1, 1) > 0]


@pytest.mark.parametrize("name", EXERCISES)
def test_odd_answers_get_one_line_each(name):
    for odd in [*ODD, None]:
        said = say(name, lambda *args, odd=odd: odd)
        assert said != "correct" and "\n" not in said and "helpers" not in said


@pytest.mark.parametrize("name", EXERCISES)
def test_what_is_no_function_or_takes_other_arguments_gets_one_line(name):
    for odd in [None, "text", Anything(), torch.zeros(2)]:
        assert say(name, odd).startswith("give the function itself")
    assert "raised TypeError" in say(name, lambda a, b, c, d, e, f, g: None)


def sleep(*args):
    time.sleep(60)


def catch_all(*args):
    while True:
        try:
            sum(range(100))
        except:  # noqa: E722
            continue


def recurse(*args):
    return recurse(*args)


@pytest.mark.parametrize("endless", [sleep, catch_all])
def test_an_endless_answer_is_ended_also_in_a_thread(endless):
    said = []
    thread = threading.Thread(target=lambda: said.append(say("day02_merge", endless)))
    thread.start()
    thread.join(30)
    assert said and "had not ended after 4 seconds" in said[0]


def test_a_recursion_is_one_line_with_the_learners_own():
    said = say("day02_merge", recurse)
    assert "your line" in said and '"return recurse(*args)", raised Recursion' in said


def draw(*args):
    random.seed(1), torch.manual_seed(1), torch.rand(3)
    return torch.set_grad_enabled(False)


def test_random_numbers_and_gradients_stay_as_the_learner_left_them():
    random.seed(5), torch.manual_seed(5)
    expected = random.random(), torch.rand(1)
    random.seed(5), torch.manual_seed(5)
    say("day03_softmax", draw)
    assert (random.random(), torch.rand(1)) == expected and torch.is_grad_enabled()
