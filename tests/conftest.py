"""What many tests share: the pocket model, and its stories."""

import pytest

from helpers.gpt2 import GPT2
from helpers.models import load_model
from helpers.worlds import load_world


@pytest.fixture(scope="session")
def pocket():
    return load_model("pocket", device="cpu")


@pytest.fixture(scope="session")
def tokenizer(pocket):
    return pocket[1]


@pytest.fixture(scope="session")
def engine(pocket):
    """The engine with the pocket model's weights, and its tokenizer."""
    return GPT2.from_hf(pocket[0]), pocket[1]


@pytest.fixture(scope="session")
def world():
    return load_world("stories")
