"""Each exercise's check: its table, right answers in other styles, odd answers."""

import random
import runpy
import threading
import time
from pathlib import Path

import pytest
import torch

from helpers import checks
from helpers.parity import or_ours

EXERCISES = sorted(n for n in vars(checks) if n.startswith("day") and "_" in n)
TABLES = [
    (name, message, function)
    for name in EXERCISES
    for message, function in getattr(checks, name).wrong.items()
]
WRONG, RIGHT = {}, {}
for path in sorted((Path(__file__).parent / "wrong_answers").glob("day*.py")):
    bank = runpy.run_path(str(path))
    WRONG |= bank["WRONG"]
    RIGHT |= bank["RIGHT"]
MORE = [(name, *row) for name, rows in WRONG.items() for row in rows.items()]


def say(name: str, answer) -> str:
    return getattr(checks, name)(answer)


@pytest.fixture(autouse=True)
def learner(monkeypatch):
    monkeypatch.delenv("COURSE_STRICT", raising=False)


def stub(*args, **options):
    raise NotImplementedError


@pytest.mark.parametrize(("name", "message", "function"), TABLES)
def test_each_wrong_function_gets_its_own_message(name, message, function):
    assert say(name, function).startswith(message)


@pytest.mark.parametrize("name", EXERCISES)
def test_right_answers_in_other_styles(name):
    for answer in [getattr(checks, name).right, *RIGHT[name]]:
        assert say(name, answer) == "correct", answer
    n_wrong = len(getattr(checks, name).wrong) + len(WRONG.get(name, ()))
    assert n_wrong >= 3 and RIGHT[name]


@pytest.mark.parametrize(("name", "fragment", "answer"), MORE)
def test_other_wrong_answers_are_named(name, fragment, answer):
    message = say(name, answer)
    assert fragment in message and "\n" not in message


@pytest.mark.parametrize("name", EXERCISES)
def test_a_stub_is_no_answer_and_fails_where_one_is_demanded(name, monkeypatch):
    assert say(name, stub) == "not attempted yet"
    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(AssertionError, match=f"{name}: not attempted yet"):
        say(name, stub)


def test_a_part_that_the_course_lends_is_no_answer_yet():
    @or_ours
    def gelu(x):
        raise NotImplementedError

    assert gelu(torch.zeros(2)).tolist() == [0, 0]
    assert say("day08_gelu", gelu) == "not attempted yet"


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


@pytest.mark.parametrize("odd", [None, "text", Anything(), torch.zeros(2)])
def test_what_is_no_function_gets_one_line(odd):
    assert say("day02_encode", odd).startswith("give the function itself")


def sleep(*args):
    time.sleep(60)


def catch_all(*args):
    while True:
        try:
            sum(range(100))
        except:  # noqa: E722
            continue


def catch_more(*args):
    try:
        while True:
            sum(range(100))
    except:  # noqa: E722
        catch_more()


def recurse(*args):
    return recurse(*args)


@pytest.mark.parametrize("endless", [sleep, catch_all, catch_more])
def test_an_endless_answer_is_ended_also_in_a_thread(endless):
    said = []
    thread = threading.Thread(target=lambda: said.append(say("day02_encode", endless)))
    thread.start()
    thread.join(30)
    assert said and "had not ended after 4 seconds" in said[0]
    used = time.process_time()
    time.sleep(1)
    assert time.process_time() - used < 0.5  # and nothing of it runs on


def test_a_recursion_is_one_line_with_the_learners_own():
    said = say("day02_encode", recurse)
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
