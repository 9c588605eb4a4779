"""Worlds: exact probabilities, against a little world that can be enumerated."""

import hashlib
import itertools
import math
import random
from collections import Counter, defaultdict

import numpy as np
import pytest

from helpers.tokens.byte_level import pretokenise as words
from helpers.worlds.tasks import TASKS, list_prompt
from helpers.worlds.world import END, WORLDS, World, load_spec, load_world

TINY = {
    "classes": {
        "child": {
            "zipf": 1,
            "groups": [
                {"weight": 2.0, "he": "she", "words": "Ann, Mia"},
                {"he": "he", "words": "Tom"},
            ],
        },
        "toy": {
            "columns": ["word", "does"],
            "words": "kite | flies / soars\nowl | hoots",
        },
        "rhyme": {"groups": [{"words": "cat, hat"}, {"words": "dog, log, fog"}]},
        "digit": {"repeat": True, "words": "1, 2, 3"},
    },
    "variables": {
        **{"A": "child", "B": "child", "toy": "toy"},
        **{"end": "rhyme", "echo": "rhyme ~ end", "x": "digit", "y": "digit"},
    },
    "rules": {
        "start": """
            3: <meet A B>
            2: {end}[, {rhyme}|], {echo}
            {x} + {y} = {=x + y}[.|.]
        """,
        "meet P Q": (
            "{P} had {a toy}[3:| and {Q} ran]."
            " {^Q.he} [very|] [very|] slept. It {toy.does}[|."
            " {^P.he} saw {!x}it {x} times]."
        ),
    },
}


@pytest.fixture(scope="module")
def truth() -> dict[str, float]:
    """List every text of the little world with its probability, by hand."""
    texts: dict[str, float] = defaultdict(float)
    # Ranks 1 and 2 weigh 1/2 and 1/3, scaled to the weight of the group.
    weight = {"Ann": 2 * 0.6, "Mia": 2 * 0.4, "Tom": 1.0}
    he = {"Ann": "She", "Mia": "She", "Tom": "He"}
    does = {"a kite": ["flies", "soars"], "an owl": ["hoots"]}
    for p, q in itertools.permutations(weight, 2):
        pair = weight[p] / 3 * weight[q] / (3 - weight[p])
        for toy, deeds in does.items():
            for deed, ran, v1, v2, x in itertools.product(
                deeds, (0, 1), (0, 1), (0, 1), range(4)
            ):
                text = f"{p} had {toy}" + (f" and {q} ran" if ran else "")
                text += f". {he[q]}" + " very" * (v1 + v2) + f" slept. It {deed}"
                text += f". {he[p]} saw it {x} times." if x else "."
                share = pair / 2 / len(deeds) * (0.25 if ran else 0.75) / 4
                texts[text] += 3 / 6 * share * (0.5 / 3 if x else 0.5)
    for group in (["cat", "hat"], ["dog", "log", "fog"]):
        size = len(group)
        for end, echo in itertools.permutations(group, 2):
            share = 2 / 6 / 2 / size / (size - 1)
            texts[f"{end}, {echo}"] += share / 2
            for other in ("cat", "hat", "dog", "log", "fog"):
                rank = 1 / 4 if other in ("cat", "hat") else 1 / 6
                texts[f"{end}, {other}, {echo}"] += share / 2 * rank
    for x, y in itertools.product((1, 2, 3), repeat=2):
        texts[f"{x} + {y} = {x + y}."] += 1 / 6 / 9
    return dict(texts)


@pytest.fixture(scope="module")
def tiny() -> World:
    return World(TINY, "tiny")


def test_tiny_probabilities_sum_to_one_and_equal_the_enumeration(tiny, truth):
    assert math.isclose(sum(truth.values()), 1, rel_tol=1e-12)
    found = {text: math.exp(tiny.log_prob(text)) for text in truth}
    assert math.isclose(sum(found.values()), 1, rel_tol=1e-9)
    assert found == pytest.approx(truth, rel=1e-9)


def test_tiny_samples_follow_the_enumeration(tiny, truth):
    counts = Counter(tiny.sample(seed) for seed in range(100_000))
    assert set(counts) <= set(truth)
    expected = {text: p * 100_000 for text, p in truth.items() if p * 100_000 >= 5}
    square = sum((counts[text] - e) ** 2 / e for text, e in expected.items())
    freedom = len(expected) - 1
    assert (square - freedom) / math.sqrt(2 * freedom) < 4  # standard deviations


def test_tiny_next_words_follow_from_the_enumeration(tiny, truth):
    after = defaultdict(Counter)
    for text, p in truth.items():
        pieces = [*words(text), END]
        for i, piece in enumerate(pieces):
            after["".join(pieces[:i])][piece] += p
    for prefix, mass in after.items():
        expected = {word: p / mass.total() for word, p in mass.items()}
        found = tiny.next_words(prefix)
        assert found == pytest.approx(expected, rel=1e-9)
        assert [*found.values()] == sorted(found.values(), reverse=True)


def test_outside_the_world(tiny):
    assert tiny.log_prob("Tom had a kite") == tiny.log_prob("") == -math.inf
    assert tiny.next_words("Nobody") == {}
    assert [*tiny.next_words("1 + 1 = 2.")] == [END]


def test_same_seed_same_text_on_any_machine(tiny):
    texts = "\n".join(tiny.sample(np.int64(seed)) for seed in range(100))
    digest = hashlib.sha256(texts.encode()).hexdigest()
    assert digest[:16] == "59f6c703605fa012"


def letters(text):
    """A tokenizer that makes every character a token."""
    return {"input_ids": [ord(character) for character in text]}


def test_entropy_floor_is_near_the_enumerated_entropy(tiny, truth):
    nats = -sum(p * math.log(p) for p in truth.values())
    tokens = sum(p * (len(text) + 1) for text, p in truth.items())
    floor = tiny.entropy_floor(letters, 4000)
    assert abs(floor.value - nats / tokens) < 3 * floor.error
    assert floor.error < 0.02 * floor.value


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("Tom had a kite. He", 15, "memory: 'He' after 'had a kite.', where another"),
        ("Tom had an kite.", 10, "grammar: 'kite' cannot follow 'Tom had an', 'owl'"),
        ("Bob had a kite.", 0, "spelling: 'Bob' is no word of this world"),
        ("cat, log", 8, "grammar: the text stops after 'cat, log'"),
        ("cat, hat, hat, hat", 13, "grammar: the text goes on after"),
        ("1 + 2 = 4.", 7, "grammar: '4' cannot follow '1 + 2 =', '3' could"),
    ],
)
def test_first_error_says_where_and_why(tiny, text, position, reason):
    slip = tiny.first_error(text)
    assert slip.position == position and slip.reason.startswith(reason)
    assert slip.kind == reason.partition(":")[0]


GIRLS, BOYS = {"he": "she", "words": "Ann, Eve"}, {"he": "he", "words": "Tom, Max"}
THING = {"words": "kite, drum, hat"}
MEMORY = {
    "classes": {"child": {"groups": [GIRLS, BOYS]}, "thing": THING},
    "variables": {"A": "child", "B": "child", "T": "thing"},
    "rules": {"start": "{A} lost {a T}. {^A.he} asked {B}. {B} found the {T}."},
}


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        ("", " She asked", "agreement: 'She' after 'lost a kite.', 'He' would agree"),
        (" He asked Max.", " Eve", "memory: Eve was never introduced; Max was"),
        (" He asked Max.", " Tom", "memory: 'Tom' after 'He asked Max.', it must"),
        (" He asked Max. Max found the", " hat", "memory: 'hat' after '. Max found"),
    ],
)
def test_what_was_introduced_is_remembered(right, wrong, reason):
    right = f"Tom lost a kite.{right}"
    slip = World(MEMORY).first_error(right + wrong)
    assert slip.position == len(right) and slip.reason.startswith(reason)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda w: load_world("poems"), "there is no world 'poems': choose one of st"),
        (lambda w: w.sample(-1), "seed is -1, expected a whole number from 0"),
        (lambda w: w.next_words(None), "expected a text, got NoneType"),
        (lambda w: w.first_error(b"a"), "expected a text, got bytes"),
        (lambda w: w.log_prob(["a"]), "expected a text, got list"),
        (lambda w: w.entropy_floor(letters, 0), "n is 0, expected a whole number fr"),
        (lambda w: w.word_probs("Tom ran"), "the world tiny cannot write ' ran' as wo"),
        (lambda w: list_prompt("rhymes", 2, 0), "there is no task 'rhymes': choose on"),
        (lambda w: list_prompt("copy", 11, 0), "copy has 0 to 10 shots, not 11"),
        (lambda w: list_prompt("recall", 1, 0), "recall has 2 to 8 shots, not 1"),
    ],
)
def test_bad_input(tiny, call, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        call(tiny)
    assert str(caught.value).startswith(message)


def test_a_damaged_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("helpers.worlds.world.DATA", tmp_path)
    (tmp_path / "code.toml").write_text("[rules")
    with pytest.raises(ValueError, match=r"^code.toml is damaged \(.*`git restore"):
        load_spec("code")


@pytest.mark.parametrize("name", WORLDS)
def test_samples_differ_and_have_a_probability(name):
    world = load_world(name)
    texts = [world.sample(seed) for seed in range(1000)]
    assert len(set(texts)) >= 995  # a few functions are short enough to come twice
    for text in texts[:100]:
        assert world.log_prob(text) > -math.inf, text
        assert text == text.strip() and "".join(words(text)) == text
    assert all(World.first_error(world, text) is None for text in texts[:20])


@pytest.mark.parametrize("name", WORLDS)
def test_next_words_multiply_to_the_probability(name):
    world = load_world(name)
    text = world.sample(0)
    pieces, total = words(text), 0.0
    for i, piece in enumerate([*pieces, END]):
        following = world.next_words("".join(pieces[:i]))
        assert math.isclose(sum(following.values()), 1, rel_tol=1e-9)
        total += math.log(following[piece])
    assert math.isclose(total, world.log_prob(text), rel_tol=1e-9)


@pytest.mark.parametrize("name", WORLDS)
def test_one_word_changed_is_caught_unless_the_world_allows_it(name):
    world, rng = load_world(name), random.Random(0)
    texts = [world.sample(seed) for seed in range(100)]
    pool = sorted({piece for text in texts for piece in words(text)})
    caught = 0
    for text in texts:
        pieces = words(text)
        pieces[rng.randrange(len(pieces))] = rng.choice(pool)
        changed = "".join(pieces)
        slip = World.first_error(world, changed)
        assert (slip is None) == (world.log_prob(changed) > -math.inf)
        if slip:
            caught += 1
            following = world.next_words(changed[: slip.position])
            rest = [*words(changed[slip.position :]), END]
            assert following and rest[0] not in following
    assert caught > 80


@pytest.mark.parametrize("task", TASKS)
def test_two_shots_make_a_task_clear(task):
    world = load_world("lists")
    for shots, seed in itertools.product((2, 3, 5, 8), range(3)):
        prompt, answer = list_prompt(task, shots, seed)
        assert prompt.count(":") == shots + 1
        assert world.next_words(prompt)[answer] >= 0.99, prompt


def test_no_shot_leaves_the_task_open():
    world = load_world("lists")
    assert max(world.next_words("cow:").values()) < 0.2
    assert world.next_words("dog: puppy, cow:") == {" calf": 1.0}


def test_verse_rhymes():
    world = load_world("verse")
    sounds = defaultdict(set)
    for name in ("place", "thing", "verb", "trait"):
        for entry in world.grammar.classes[name]:
            row = entry.attributes
            sounds[name, row["sound"]].add(row["word"])
    assert len(sounds) >= 40 and min(map(len, sounds.values())) >= 2
    for seed in range(200):
        for stanza in world.sample(seed).split("\n\n"):
            lines = stanza.split("\n")
            ends = {words(line.rstrip('.,;:?"'))[-1].strip() for line in lines[1::2]}
            assert len(lines) == 4 and len(ends) == 2
            assert any(ends <= rhymes for rhymes in sounds.values())
