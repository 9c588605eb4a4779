"""The explorers answer to their sliders."""

import matplotlib
import pytest

matplotlib.use("Agg")

from helpers.tokens.documents import document_ids
from helpers.widgets import TokenExplorer


@pytest.fixture(scope="module")
def prompt(pocket):
    return *pocket, document_ids(pocket[1], "Once upon a time")


@pytest.fixture
def explorer(prompt):
    return TokenExplorer(*prompt, max_new_tokens=4)


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
        return [step.token for step in explorer.steps]

    explorer.pick.value, explorer.temperature.value = "sample", 2.0
    first = tokens_with(explorer.seed, 1)
    assert tokens_with(explorer.seed, 2) != first == tokens_with(explorer.seed, 1)
    drawn = tokens_with(explorer.top_k, 1)  # leaves nothing to draw
    assert tokens_with(explorer.pick, "greedy") == drawn


def test_the_text_is_escaped_with_the_chosen_token_in_bold(prompt):
    model, tokenizer, _ = prompt
    ids = document_ids(tokenizer, "a < b")
    explorer = TokenExplorer(model, tokenizer, ids, max_new_tokens=1)
    token = tokenizer.decode([explorer.steps[0].token])
    assert "&lt;|endoftext|&gt;a &lt; b" in explorer.text.value
    assert f"<b>{token}</b>" in explorer.text.value.replace("&quot;", '"')
    probability = explorer.steps[0].logits.softmax(dim=-1).max()
    assert f"{probability:.2f} before the rules" in explorer.text.value


@pytest.mark.parametrize("option", ["max_new_tokens", "top"])
def test_an_explorer_of_nothing_is_refused(prompt, option):
    with pytest.raises(ValueError, match=f"{option} is 0, expected a whole number"):
        TokenExplorer(*prompt, **{option: 0})
