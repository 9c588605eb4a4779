"""helpers.searching: the library's beam search, and a slow contrastive search."""

import math
import re
from itertools import product

import pytest
import torch
from transformers.generation import logits_process as library

from helpers.decoding import beam_search, contrastive_search, generate
from helpers.decoding.rules import no_repeat_ngram, repetition_penalty
from helpers.gpt2 import GPT2
from tests import random_models

VOCAB, END = 16, 0
ENDINGS = [(END, False), (END, True), (END, "never"), (None, False)]
GRID = list(product((2, 4, 8), (-1.0, 0.0, 1.0, 2.0), ENDINGS))


def random_model(seed, vocab=VOCAB):
    """A small GPT-2 whose distributions are far from flat and whose texts often end."""
    return random_models.without_end(seed=seed, vocab_size=vocab, end_bias=3)


def random_ids(seed, rows=1, seq=5, vocab=VOCAB):
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(1, vocab, (rows, seq), generator=draw)


def searched_by_the_library(model, ids, *, num_beams, eos_token_id, **options):
    """Return [(ids, score), …] of model.generate for each row, best first."""
    found = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        num_beams=num_beams,
        num_return_sequences=num_beams,
        eos_token_id=eos_token_id,
        pad_token_id=model.config.eos_token_id,
        do_sample=False,
        output_scores=True,
        return_dict_in_generate=True,
        **options,
    )
    texts = []
    for row in found.sequences.tolist():
        new = row[ids.shape[1] :]
        end = new.index(eos_token_id) + 1 if eos_token_id in new else len(new)
        texts.append(row[: ids.shape[1] + end])  # the rest fills up the row
    texts = list(zip(texts, found.sequences_scores.tolist(), strict=True))
    return [texts[i : i + num_beams] for i in range(0, len(texts), num_beams)]


def compare(reference, models, ids, setting, *, rules=(), processors=(), **options):
    """Search from each row in each model: the library's texts and scores."""
    num_beams, length_penalty, (eos_token_id, early_stopping) = setting
    options |= {"num_beams": num_beams, "length_penalty": length_penalty}
    options |= {"eos_token_id": eos_token_id, "early_stopping": early_stopping}
    wanted = searched_by_the_library(
        reference, ids, logits_processor=list(processors), **options
    )
    options |= {"num_return_sequences": num_beams, "rules": rules}
    for model, (row, texts) in product(models, zip(ids, wanted, strict=True)):
        found = beam_search(model, row[None], **options)
        assert [h.ids.tolist() for h in found] == [text for text, _ in texts]
        scores = [score for _, score in texts]
        assert [h.score for h in found] == pytest.approx(scores, abs=1e-4)


def beams(model, ids, **options):
    return beam_search(model, ids, **{"num_beams": 2, "max_new_tokens": 3, **options})


def contrast(model, ids, **options):
    options = {"k": 2, "alpha": 0.5, "max_new_tokens": 3, **options}
    return contrastive_search(model, ids, **options)


@pytest.mark.parametrize("seed", range(8))
def test_beam_search_is_the_library_s_on_random_models(seed):
    """Five prompts and a sixth of the grid for each model: 320 searches in all."""
    model = random_model(seed)
    models = [model] if seed == 7 else [GPT2.from_hf(model)]
    ids = random_ids(seed, rows=5)
    for setting in GRID[seed % 6 :: 6]:
        compare(model, models, ids, setting, max_new_tokens=10)


@pytest.mark.parametrize(("num_beams", "length_penalty"), [(4, 1.0), (2, 2.0)])
def test_early_stopping_is_the_library_s_where_it_matters(num_beams, length_penalty):
    """Each setting has texts on these models that neither of the others has."""
    beams = {"num_beams": num_beams, "num_return_sequences": num_beams}
    beams |= {"length_penalty": length_penalty, "eos_token_id": END}
    own = dict.fromkeys((False, True, "never"), 0)
    for seed in (0, 9, 26):
        model, ids = random_model(seed), random_ids(seed)
        engine, texts = GPT2.from_hf(model), []
        for early in own:
            setting = num_beams, length_penalty, (END, early)
            compare(model, [engine], ids, setting, max_new_tokens=12)
            found = beam_search(
                engine, ids, early_stopping=early, max_new_tokens=12, **beams
            )
            texts.append([h.ids.tolist() for h in found])
        for early, mine in zip(own, texts, strict=True):
            own[early] += texts.count(mine) == 1
    assert all(own.values()), own


def test_never_looks_at_short_texts_where_they_are_favoured():
    model, ids = random_model(26), random_ids(26)  # here it would matter
    setting = 4, -0.3, (END, "never")
    compare(model, [GPT2.from_hf(model)], ids, setting, max_new_tokens=12)


@pytest.mark.parametrize("seed", range(5))
def test_beam_search_is_the_library_s_on_the_pocket_model(pocket, seed):
    """Two prompts a time, so that with the random models it is fifty."""
    model, _ = pocket
    end = model.config.eos_token_id
    ids = random_ids(seed, rows=2, vocab=model.config.vocab_size)
    ids[:, 0] = end
    models = [GPT2.from_hf(model)] if seed else [GPT2.from_hf(model), model]
    for num_beams, length_penalty, (eos, stopping) in GRID[seed :: len(GRID) // 2]:
        setting = num_beams, length_penalty, (end if eos == END else None, stopping)
        compare(model, models, ids, setting, max_new_tokens=6)


@pytest.mark.parametrize("setting", GRID[1::11])
def test_beam_search_with_rules_is_the_library_s(setting):
    model = random_model(3)
    rules = [repetition_penalty(1.4), no_repeat_ngram(2)]
    processors = [
        library.RepetitionPenaltyLogitsProcessor(1.4),
        library.NoRepeatNGramLogitsProcessor(2),
    ]
    engine, ids = GPT2.from_hf(model), random_ids(7, rows=3)
    ids %= 4
    for inside in (rules, processors):  # theirs in ours, too
        compare(
            model, [engine], ids, setting, rules=inside, processors=processors,
            max_new_tokens=8,
        )  # fmt: skip


def test_one_beam_is_greedy_and_the_first_is_the_best():
    model = random_model(0)
    for seed in range(5):
        ids = random_ids(seed)
        options = {"max_new_tokens": 8, "eos_token_id": END}
        (only,) = beam_search(model, ids, num_beams=1, **options)
        assert only.ids.tolist() == generate(model, ids, **options)[0].tolist()
        some = beam_search(model, ids, num_beams=4, num_return_sequences=3, **options)
        assert len(some) == 3
        assert [h.score for h in some] == sorted((h.score for h in some), reverse=True)
        assert len({tuple(h.ids.tolist()) for h in some}) == 3


@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0])
def test_score_is_the_log_probability_by_the_length(penalty):
    model, ids = random_model(1), random_ids(1)
    options = {"max_new_tokens": 6, "eos_token_id": END, "length_penalty": penalty}
    for text in beams(model, ids, num_beams=4, num_return_sequences=4, **options):
        new = text.ids[ids.shape[1] :]
        with torch.no_grad():
            log_probs = model(text.ids[None, :-1]).logits[0].log_softmax(-1)
        total = log_probs[-len(new) :].gather(1, new[:, None]).sum().item()
        assert text.score == pytest.approx(total / len(new) ** penalty, abs=1e-4)


def test_enough_beams_find_the_most_probable_text():
    model, ids = random_model(2, vocab=40), random_ids(2, vocab=40)
    texts = beams(model, ids, num_beams=20, max_new_tokens=1, num_return_sequences=20)
    with torch.no_grad():
        first = model(ids).logits[0, -1].log_softmax(-1).topk(20)
    assert [text.ids[-1].item() for text in texts] == first.indices.tolist()


def only(token):
    """A rule that allows one token."""

    def rule(input_ids, next_logits):
        allowed = torch.full_like(next_logits, -math.inf)
        allowed[:, token] = next_logits[:, token]
        return allowed

    return rule


@pytest.mark.parametrize(("token", "new"), [(7, [7, 7, 7]), (END, [END])])
def test_rules_may_leave_fewer_texts_than_asked_for(token, new):
    options = {"num_return_sequences": 2, "rules": [only(token)], "eos_token_id": END}
    (text,) = beams(random_model(0), random_ids(0), **options)
    assert text.ids.tolist() == [*random_ids(0)[0].tolist(), *new]


def slow_contrastive(model, ids, *, k, alpha, max_new_tokens, eos_token_id=None):
    """Su et al. 2022, equation 5, with a whole forward pass for each candidate."""
    for _ in range(max_new_tokens):
        probs, tokens = model(ids).logits[0, -1].softmax(-1).topk(k)
        scores = []
        for prob, token in zip(probs, tokens, strict=True):
            longer = torch.cat([ids, token.view(1, 1)], dim=1)
            states = model(longer, output_hidden_states=True).hidden_states[-1][0]
            alike = [torch.cosine_similarity(states[-1], s, dim=0) for s in states[:-1]]
            scores.append((1 - alpha) * prob - alpha * max(alike))
        token = tokens[torch.stack(scores).argmax()]
        ids = torch.cat([ids, token.view(1, 1)], dim=1)
        if token == eos_token_id:
            break
    return ids


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.6, 1.0])
def test_contrastive_search_is_a_slow_one(alpha):
    for seed, k in enumerate((1, 2, 5, VOCAB)):
        model = random_model(seed)
        options = {"k": k, "alpha": alpha, "max_new_tokens": 6, "eos_token_id": END}
        with torch.no_grad():
            slow = slow_contrastive(model, random_ids(seed), **options)
        for ours in (model, GPT2.from_hf(model)):
            assert torch.equal(
                contrastive_search(ours, random_ids(seed), **options), slow
            )


BAD = [
    *[(beams, {"num_beams": n}, "a whole number, 1 to 8, half") for n in (0, 9, 2.0)],
    *[(beams, {"num_return_sequences": n}, "a whole number, 1 to") for n in (0, 3)],
    *[(beams, {"early_stopping": word}, "True, False or") for word in ("always", 1)],
    *[(beams, {"length_penalty": x}, "a number from -10") for x in (math.nan, "1", 11)],
    *[(contrast, {"k": k}, "a whole number of candidates, 1 to 16") for k in (0, 17)],
    *[(contrast, {"alpha": a}, "a weight from 0 to 1") for a in (-0.1, math.nan)],
    *[(call, {"max_new_tokens": 0}, "a whole number") for call in (beams, contrast)],
    *[(call, {"eos_token_id": 1.5}, "one token's id") for call in (beams, contrast)],
]


@pytest.mark.parametrize(("search", "options", "wanted"), BAD)
def test_option_that_makes_no_sense_has_its_own_line(search, options, wanted):
    ((name, value),) = options.items()
    line = f"^{name} is {re.escape(repr(value))}, expected {re.escape(wanted)}"
    with pytest.raises(ValueError, match=line):
        search(random_model(0), random_ids(0), **options)


@pytest.mark.parametrize("search", [beams, contrast])
def test_search_takes_one_text_and_finite_logits(search):
    model = random_model(0)
    with pytest.raises(ValueError, match="^expected one text to go on from, got 2 ro"):
        search(model, random_ids(0, rows=2))
    with torch.no_grad():
        model.transformer.ln_f.bias.fill_(math.nan)
    with pytest.raises(ValueError, match="^NaN among the logits in row 0: "):
        search(model, random_ids(0))


def test_rules_that_make_no_sense_are_told():
    with pytest.raises(TypeError, match="^expected rules as a list of functions, got"):
        beams(random_model(0), random_ids(0), rules=no_repeat_ngram(2))
    with pytest.raises(ValueError, match="^no token allowed in row 0: "):
        forbid = [lambda ids, logits: torch.full_like(logits, -math.inf)]
        beams(random_model(0), random_ids(0), rules=forbid)
