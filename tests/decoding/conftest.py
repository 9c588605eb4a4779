"""The pocket model, whose texts end only where a call says so."""

import pytest

from helpers.models import load_model


@pytest.fixture(scope="session")
def pocket():
    model, tokenizer = load_model("pocket", device="cpu")
    model.generation_config.eos_token_id = None
    return model, tokenizer
