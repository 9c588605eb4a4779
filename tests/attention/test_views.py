"""bertviz's views as pages that fetch nothing and that no token can break."""

import html
import json
import re
from html.parser import HTMLParser

import pytest
import torch

from helpers.attention import attentions, show_heads, show_model, show_neurons
from helpers.attention.pages import View, page

NASTY = "</script><!--<script> \"quotes\" & 'more' 🙂\n\\u003c <b>bold</b> // HACK: {"
VIEWS = [show_heads, show_model, show_neurons]


class Tags(HTMLParser):
    """The tags of a page, and what its scripts hold."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.within = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.within = tag == "script"

    def handle_endtag(self, tag):
        self.within = False

    def handle_data(self, data):
        if self.within:
            self.scripts.append(data)


def data_of(view):
    """Return what bertviz's script gets, read from the page."""
    script = Tags(view.page).scripts
    found = [s for s in script if re.search(r"const params|bertviz_params = ", s)]
    start = re.search(r"(const params|bertviz_params) = ", found[0]).end()
    return json.JSONDecoder().raw_decode(found[0], start)[0]


def tokens_of(view):
    attention = data_of(view)["attention"]
    texts = attention["all"] if isinstance(attention, dict) else attention[0]
    return texts["left_text"]


@pytest.mark.parametrize("show", VIEWS)
def test_a_page_fetches_nothing_and_is_a_sandboxed_frame(pocket, show):
    view = show(*pocket, "Tom had a red kite.")
    frame = Tags(view._repr_html_()).tags
    assert [tag for tag, _ in frame] == ["iframe"]
    attributes = frame[0][1]
    assert attributes["sandbox"] == "allow-scripts" and attributes["title"] == view.kind
    assert attributes["srcdoc"] == view.page
    tags = Tags(view.page).tags
    assert not [a for _, a in tags if {"src", "href"} & a.keys()]
    policy = next(a for tag, a in tags if tag == "meta" and "content" in a)
    assert policy["content"].startswith("default-src 'none';")
    assert "d3" in view.page and "jQuery" in view.page


@pytest.mark.parametrize("show", VIEWS)
def test_no_token_breaks_out_of_its_script(pocket, show):
    plain, nasty = show(*pocket, "Tom."), show(*pocket, NASTY, max_tokens=80)
    count = [[tag for tag, _ in Tags(view.page).tags] for view in (plain, nasty)]
    assert count[0] == count[1]  # the same tags, whatever the text
    names = attentions(*pocket, NASTY).tokens
    assert tokens_of(nasty) == names
    assert "<F0>" in names  # bytes of 🙂


@pytest.mark.parametrize("show", [show_heads, show_model])
def test_the_page_holds_the_weights_to_three_digits(pocket, show):
    view = show(*pocket, "Tom had a red kite.")
    found = torch.tensor(data_of(view)["attention"][0]["attn"])
    weights = attentions(*pocket, "Tom had a red kite.").weights
    torch.testing.assert_close(found, weights, atol=6e-4, rtol=0)
    assert not re.search(r"\d\.\d{4}", json.dumps(data_of(view)["attention"]))


def test_neurons_give_the_weights_shown(pocket):
    data = data_of(show_neurons(*pocket, "Tom had a kite.", layer=2, head=5))
    assert (data["layer"], data["head"]) == (2, 5)
    numbers = data["attention"]["all"]
    attn, query, key = (torch.tensor(numbers[n]) for n in ("attn", "queries", "keys"))
    scores = query @ key.transpose(-1, -2) / 32**0.5
    ahead = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    by_hand = scores.masked_fill(ahead, float("-inf")).softmax(-1)
    torch.testing.assert_close(by_hand, attn, atol=0.02, rtol=0)


@pytest.mark.parametrize("show", VIEWS)
def test_long_texts_are_cut_with_a_note_and_sizes_are_bounded(pocket, show):
    view = show(*pocket, "Tom had a red kite. " * 200)
    assert len(tokens_of(view)) == 24
    assert "the first 24 of " in view.note and view.note in view._repr_html_()
    assert view.size < 1_500_000
    assert repr(view) == f"{view.kind}, {view.size / 1e6:.1f} MB; {view.note}"
    larger = show(*pocket, "Tom had a red kite. " * 200, max_tokens=500)
    assert len(tokens_of(larger)) > 24 and larger.size < 8_000_000
    assert not show(*pocket, "Tom.").note


def test_what_is_shown_first_can_be_chosen_and_is_checked(pocket):
    view = show_heads(*pocket, "Tom.", layer=3, heads=[1, 4])
    assert (data_of(view)["layer"], data_of(view)["heads"]) == (3, [1, 4])
    with pytest.raises(ValueError, match="layer is 5, expected a layer from 0 to 4"):
        show_heads(*pocket, "Tom.", layer=5)
    with pytest.raises(ValueError, match="head is 8, expected a head from 0 to 7"):
        show_neurons(*pocket, "Tom.", head=8)
    with pytest.raises(ValueError, match="max_tokens is 0, expected a whole number"):
        show_model(*pocket, "Tom.", max_tokens=0)


@pytest.mark.parametrize("show", [*VIEWS, attentions])
@pytest.mark.parametrize("text", [None, 3, b"Tom", "\ud800"])
def test_what_is_no_text_is_told(pocket, show, text):
    with pytest.raises(ValueError, match="expected a text, got|is half of a pair"):
        show(*pocket, text)


def test_a_page_drops_bertvizs_own_scripts_and_its_second_copy():
    params = json.dumps({"text": "</script> // HACK: "})
    found = page(
        '<script src="https://cdnjs.example/require.js"></script><div></div><script>\n'
        f"const params = {params}; // HACK: {params} is replaced\nrest()</script>"
    )
    assert "cdnjs" not in found and "is replaced" not in found
    assert found.count("HACK") == 1 and "\\u003c/script>" in found
    assert "\nrest()</script>" in found


def test_a_view_escapes_what_it_shows():
    view = View('a "view"', "<p>&amp;</p>", height=100, note="<b>")
    shown = view._repr_html_()
    assert Tags(shown).tags[0][1]["srcdoc"] == "<p>&amp;</p>"
    assert "&lt;b&gt;" in shown and html.escape('a "view"') in shown
