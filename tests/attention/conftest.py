"""Models that the tests of this folder share."""

import pytest

from helpers.models import load_model
from tests.random_models import random_model


@pytest.fixture(scope="session")
def pocket():
    return load_model("pocket", device="cpu")


@pytest.fixture(scope="session")
def library():
    """A small random GPT-2 of the library."""
    return random_model()
