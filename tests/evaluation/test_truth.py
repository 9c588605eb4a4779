"""helpers.truth: the world's next-token probabilities beside a model's."""

import pytest
import torch

from helpers.evaluation.truth import beside_truth, survival, true_next
from helpers.tokens.byte_level import pretokenise as words
from helpers.tokens.documents import document_ids
from helpers.worlds.world import FRESH


def test_rows_speak_about_the_word_that_comes_next(engine, world):
    engine, tokenizer = engine
    stories = [world.sample(FRESH + i) for i in range(2)]
    logits, truth, sizes = beside_truth(engine, tokenizer, world, stories)
    pieces = words(stories[0])
    assert logits.shape == truth.shape == (sum(sizes), len(tokenizer))
    assert sizes[0] == len(pieces)
    assert truth.sum(dim=-1).tolist() == pytest.approx([1] * len(truth), abs=1e-4)
    seconds = [tokenizer(word)["input_ids"][0] for word in pieces[1:]]
    assert (truth[range(len(seconds)), seconds] > 0).all()  # the story is possible
    prefix = "".join(pieces[:3])
    torch.testing.assert_close(truth[2], true_next(tokenizer, world, prefix))
    with torch.inference_mode():
        alone = engine(document_ids(tokenizer, prefix))[0, -1]
    assert torch.allclose(logits[2], alone, atol=1e-4)


def test_a_story_survives_if_every_place_does():
    risk = torch.tensor([0.5, 0.5, 0.0, 1.0])
    assert survival(risk, [2, 1, 1]) == pytest.approx((0.25 + 1 + 0) / 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda *m: true_next(*m[1:], "Zebras zoom"), "^the world stories forbids"),
        (lambda *m: beside_truth(*m, ["Zebras"]), "^the world stories forbids"),
        (lambda *m: beside_truth(*m, "Once"), "expected a list of stories, none empty"),
        (lambda *m: beside_truth(*m, [""]), "expected a list of stories, none empty"),
        (lambda *m: survival(torch.tensor([-1.0]), [1]), "expected a risk from 0 to 1"),
        (lambda *m: survival(torch.ones(5), [2]), r"5 risks for stories of \[2\] pl"),
        (lambda *m: survival(torch.ones(0), []), r"0 risks for stories of \[\] places"),
    ],
)
def test_what_is_not_true_of_a_world_is_refused(pocket, world, call, message):
    with pytest.raises(ValueError, match=message):
        call(*pocket, world)
