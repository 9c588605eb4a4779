"""helpers.gpt2.timing: a cost for each length, both ways."""

from helpers.gpt2 import GPT2, token_costs
from tests.random_models import random_model


def test_costs_are_timed_with_and_without_a_cache():
    costs = token_costs(GPT2.from_hf(random_model()), [8, 20], repeats=2)
    assert set(costs) == {"without a cache", "with a cache"}
    assert all(len(times) == 2 and min(times) > 0 for times in costs.values())
