"""The explorers answer to their sliders."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from helpers.decoding import greedy, temperature, top_k
from helpers.models import load_model
from helpers.tokens.documents import document_ids
from helpers.widgets import TokenExplorer, choices


@pytest.fixture(scope="module")
def prompt():
    model, tokenizer = load_model("pocket", device="cpu")
    return model, tokenizer, document_ids(tokenizer, "Once upon a time")


@pytest.fixture
def explorer(prompt):
    return TokenExplorer(*prompt, max_new_tokens=4)


def test_choices_carry_the_logits_before_and_after_the_rules(prompt):
    model, _, input_ids = prompt
    options = {"rules": [temperature(2.0), top_k(3)], "max_new_tokens": 2}
    first = next(choices(model, input_ids, pick=greedy, **options))
    with torch.no_grad():
        logits = model(input_ids).logits[0, -1]
    torch.testing.assert_close(first.logits, logits)
    assert first.allowed.isfinite().sum() == 3
    kept = first.allowed.isfinite()
    torch.testing.assert_close(first.allowed[kept], logits[kept] / 2)
    assert first.token == logits.argmax()


def test_the_figure_follows_the_step_and_the_rules(explorer):
    matplotlib.pyplot.close("all")  # what other tests of this process have drawn
    pictures = [bytes(explorer.figure.value)]
    for control, value in ((explorer.step, 3), (explorer.top_k, 2)):
        control.value = value
        pictures.append(bytes(explorer.figure.value))
    assert len(set(pictures)) == 3 and all(p.startswith(b"\x89PNG") for p in pictures)
    assert not matplotlib.pyplot.get_fignums()  # none is left open, to be shown twice


def test_rules_change_what_may_be_drawn_and_seeds_repeat(explorer):
    def tokens_with(control, value):
        control.value = value
        return [choice.token for choice in explorer.choices]

    explorer.pick.value, explorer.temperature.value = "sample", 2.0
    first = tokens_with(explorer.seed, 1)
    assert tokens_with(explorer.seed, 2) != first == tokens_with(explorer.seed, 1)
    drawn = tokens_with(explorer.top_k, 1)  # leaves nothing to draw
    assert tokens_with(explorer.pick, "greedy") == drawn


def test_the_text_is_escaped_with_the_chosen_token_in_bold(prompt):
    model, tokenizer, _ = prompt
    ids = document_ids(tokenizer, "a < b")
    explorer = TokenExplorer(model, tokenizer, ids, max_new_tokens=1)
    token = tokenizer.decode([explorer.choices[0].token])
    assert "&lt;|endoftext|&gt;a &lt; b" in explorer.text.value
    assert f"<b>{token}</b>" in explorer.text.value.replace("&quot;", '"')
    probability = explorer.choices[0].logits.softmax(dim=-1).max()
    assert f"{probability:.2f} before the rules" in explorer.text.value


@pytest.mark.parametrize("option", ["max_new_tokens", "top"])
def test_an_explorer_of_nothing_is_refused(prompt, option):
    with pytest.raises(ValueError, match=f"{option} is 0, expected a whole number"):
        TokenExplorer(*prompt, **{option: 0})
