"""Models that the tests of this folder share."""

import pytest

from tests.random_models import random_model


@pytest.fixture(scope="session")
def library():
    """A small random GPT-2 of the library."""
    return random_model()
