"""helpers.decoding: the library's greedy texts, exact distributions, every stop."""

import math
import re

import pytest
import torch
from scipy.stats import chisquare
from transformers.generation import stopping_criteria as library

from helpers.decoding import (
    beam_search,
    contrastive_search,
    generate,
    greedy,
    repetition_penalty,
    sample,
    stop_string,
    stream,
    temperature,
    top_k,
    top_p,
)
from helpers.gpt2 import GPT2
from tests.random_models import without_end as random_model

VOCAB, END, CONTEXT = 24, 0, 40


def random_ids(seed=0, rows=1, seq=5):
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(1, VOCAB, (rows, seq), generator=draw)


def left_padding(ids, seed):
    """Return ids with pads in front of each row but the first, and their mask."""
    draw = torch.Generator().manual_seed(seed)
    pads = torch.randint(ids.shape[1], (len(ids), 1), generator=draw)
    pads[0] = 0
    mask = (torch.arange(ids.shape[1]) >= pads).long()  # (batch, seq)
    return ids.masked_fill(mask == 0, END), mask


def by_the_library(model, ids, mask=None, **options):
    mask = torch.ones_like(ids) if mask is None else mask
    end = {"pad_token_id": model.config.eos_token_id, **options}
    return model.generate(ids, attention_mask=mask, do_sample=False, **end)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("end", [END, None])
def test_greedy_is_the_library_s_on_random_models(seed, end):
    """Forty-eight texts alone, and as many in batches with pads on the left."""
    model = random_model(seed=seed)
    ids, mask = left_padding(random_ids(seed, rows=6), seed)
    options = {"max_new_tokens": 12, "eos_token_id": end}
    wanted = by_the_library(model, ids, mask, **options)
    for ours in (model, GPT2.from_hf(model)):
        assert torch.equal(generate(ours, ids, attention_mask=mask, **options), wanted)
        for row, padded in zip(ids, mask, strict=True):
            alone = row[padded.bool()][None]
            text = generate(ours, alone, **options)
            assert torch.equal(text, by_the_library(model, alone, **options))


def test_greedy_is_the_library_s_on_the_pocket_model(pocket):
    model, tokenizer = pocket
    prompts = ["Once upon a time", "def", "fox: 7, owl: 2, fox:", "There"]
    batch = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left")
    ids, mask = batch["input_ids"], batch["attention_mask"]
    options = {"max_new_tokens": 12, "eos_token_id": tokenizer.eos_token_id}
    wanted = by_the_library(model, ids, mask, **options)
    for ours in (model, GPT2.from_hf(model)):
        assert torch.equal(generate(ours, ids, attention_mask=mask, **options), wanted)
    alone = ids[:1][mask[:1].bool()][None]
    wanted = by_the_library(model, alone, **options)
    assert torch.equal(generate(GPT2.from_hf(model), alone, **options), wanted)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_greedy_is_the_library_s_in_low_precision(dtype):
    model = random_model(seed=1).to(dtype)
    options = {"max_new_tokens": 8, "eos_token_id": END}
    ids = random_ids(1, rows=3)
    wanted = by_the_library(model, ids, **options)
    assert torch.equal(generate(model, ids, **options), wanted)
    engine = GPT2.from_hf(model, dtype=dtype)  # rounds elsewhere: other texts at times
    assert generate(engine, ids, max_new_tokens=8).shape == (3, 13)


def test_mask_of_ones_and_smaller_integers_change_nothing():
    model, ids = random_model(), random_ids(rows=3)
    wanted = generate(model, ids, max_new_tokens=6)
    for ones in (torch.ones_like(ids), torch.ones(3, 5), torch.ones(3, 5).bool()):
        for ours in (model, GPT2.from_hf(model)):
            made = generate(ours, ids, max_new_tokens=6, attention_mask=ones)
            assert torch.equal(made, wanted)
    penalty = [repetition_penalty(1.2)]
    small = generate(model, ids.int(), rules=penalty, max_new_tokens=6)
    assert torch.equal(small, generate(model, ids, rules=penalty, max_new_tokens=6))


def test_text_may_have_one_token_more_than_the_context_since_nobody_reads_it():
    model, ids = random_model(), random_ids(seq=1)
    options = {"max_new_tokens": CONTEXT}
    whole = by_the_library(model, ids, **options)
    mask = torch.ones_like(ids)
    for ours in (model, GPT2.from_hf(model)):
        assert torch.equal(generate(ours, ids, **options), whole)
        assert torch.equal(generate(ours, ids, attention_mask=mask, **options), whole)
        for beams in (1, 3):
            best = beam_search(ours, ids, num_beams=beams, **options)[0]
            assert torch.equal(
                best.ids, by_the_library(model, ids, num_beams=beams, **options)[0]
            )
        with pytest.raises(ValueError, match="for a text of 40 tokens at most"):
            contrastive_search(ours, ids, k=2, alpha=0.5, **options)
    with pytest.raises(IndexError):
        by_the_library(model, ids, max_new_tokens=CONTEXT + 1)


def test_row_that_ended_is_filled_up_with_the_end():
    model = random_model(seed=2)
    ids = random_ids(2, rows=40)
    options = {"rules": [temperature(3.0)], "max_new_tokens": 12, "eos_token_id": 3}
    ended = generate(model, ids, pick=sample(0), **options)[:, 5:] == 3
    after = ended.cumsum(dim=1) > 0
    assert ended.any(dim=1).float().mean() > 0.1
    assert torch.equal(after, ended)  # nothing but the end behind the end


def test_generation_ends_when_all_rows_have():
    model, ids = random_model(), random_ids(rows=2)
    force = scripted([[5, END, 7, 7, 7], [5, 6, END, 7, 7]], prompt=5)
    made = generate(model, ids, rules=[force], max_new_tokens=5, eos_token_id=END)
    assert made[:, 5:].tolist() == [[5, END, END], [5, 6, END]]


def scripted(rows, prompt):
    """A rule that allows only the token of a script."""

    def rule(input_ids, next_logits):
        allowed = torch.full_like(next_logits, -math.inf)
        for i, row in enumerate(rows):
            allowed[i, row[input_ids.shape[1] - prompt]] = 0
        return allowed

    return rule


@pytest.mark.parametrize("rules", [[], [temperature(0.7), top_p(0.8)]])
def test_stream_yields_what_generate_returns(rules):
    for seed in range(5):
        model = random_model(seed=seed)
        options = {"rules": rules, "max_new_tokens": 10, "eos_token_id": END}
        for ours in (model, GPT2.from_hf(model)):
            ids = generate(ours, random_ids(seed), pick=sample(seed), **options)
            steps = stream(ours, random_ids(seed), pick=sample(seed), **options)
            assert [step.token for step in steps] == ids[0, 5:].tolist()


def test_steps_show_the_distribution_before_and_after_the_rules():
    def in_place(input_ids, next_logits):
        next_logits[:, 12:] = -math.inf
        return next_logits.div_(0.5)

    model, ids = random_model(), random_ids()
    options = {"rules": [in_place], "pick": sample(1), "max_new_tokens": 6}
    for step in stream(GPT2.from_hf(model), ids, **options):
        with torch.no_grad():
            logits = model(ids).logits[0, -1]
        probs = logits.softmax(dim=-1)
        after = probs[:12] ** 2 / (probs[:12] ** 2).sum()
        assert torch.allclose(step.logits.softmax(-1), probs, atol=1e-5)
        assert torch.allclose(step.logits, logits, atol=1e-4)
        assert torch.allclose(step.allowed[:12], logits[:12] / 0.5, atol=1e-4)
        shares = step.allowed.softmax(-1)
        assert torch.allclose(shares[:12], after, atol=1e-5)
        assert shares[12:].count_nonzero() == 0
        assert step.prob == shares[step.token].item() > 0
        ids = torch.cat([ids, torch.tensor([[step.token]])], dim=1)


def test_steps_come_as_soon_as_they_are_made():
    read = []
    model = random_model()
    model.register_forward_hook(lambda *inputs: read.append(1))
    steps = stream(model, random_ids(), max_new_tokens=6)
    assert not read
    next(steps)
    assert len(read) == 1


@pytest.mark.parametrize("rules", [[], [temperature(0.5), top_p(0.7)]])
def test_a_hundred_thousand_draws_follow_the_distribution(rules):
    logits = torch.linspace(-2, 2, 8)[torch.tensor([5, 0, 7, 2, 6, 1, 4, 3])][None]
    allowed = logits
    for rule in rules:
        allowed = rule(None, allowed)
    exact = allowed[0].double().softmax(0)
    drawn = sample(1)(allowed.expand(100_000, -1))
    counts, possible = drawn.bincount(minlength=8).double(), exact > 0
    assert counts[~possible].sum() == 0
    found = chisquare(counts[possible], exact[possible] * 100_000)
    assert found.pvalue > 1e-4
    uniform = possible / possible.sum()  # so many draws tell it from another
    other = chisquare(counts[possible], uniform[possible] * 100_000)
    assert other.pvalue < 1e-9


def test_seed_is_reproducible_and_a_shared_generator_goes_on():
    model, ids = random_model(), random_ids()

    def made(generator):
        text = generate(model, ids, pick=sample(generator), max_new_tokens=20)
        return text[0].tolist()

    assert made(3) == made(3) == made(torch.Generator().manual_seed(3))
    assert len({tuple(made(seed)) for seed in range(10)}) == 10
    shared = torch.Generator().manual_seed(3)
    assert made(shared) == made(3)
    assert made(shared) != made(3)
    pick = sample(3)  # the picker goes on, too
    twice = [generate(model, ids, pick=pick, max_new_tokens=20) for _ in range(2)]
    assert not torch.equal(*twice)
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    made(5)
    assert torch.equal(torch.random.get_rng_state(), before)  # nobody else's luck


def ids_of(tokenizer, *pieces):
    """Token ids, piece by piece, so that the test says where tokens end."""
    return [i for piece in pieces for i in tokenizer(piece)["input_ids"]]


@pytest.mark.parametrize(
    ("prompt", "pieces", "text", "wanted"),
    [
        ("A fox.", [" One", " day", ".", " The"], ".", " One day."),
        ("A fox", [" One", " day", " in", " June"], "ne day", " One day"),
        ("A fox", [" One", " day", " in", " June"], "a", " One day"),
        ("One day", [" in", " June", ".", " One", " day"], "One day", None),
        ("The e", ["n", "d", " was", " it"], "end", "nd"),
        ("A fox", [" One", " day"], "June", " One day"),
        ("A day", [" day", " day", "."], " day", " day"),
        ("aa", ["a", "a", "a"], "aaa", "a"),
        ("A fox", [" One", "<|endoftext|>", " day"], "ne<|end", " One<|endoftext|>"),
        ("A fox", [" ab", "🦊", " cd"], "🦊", " ab🦊"),  # of several tokens
        ("A 🦊", [" ab", "🦊", " cd"], "b🦊", " ab🦊"),
    ],
)
def test_text_stops_at_a_string(pocket, prompt, pieces, text, wanted):
    model, tokenizer = pocket
    ids = torch.tensor([ids_of(tokenizer, prompt)])
    script = ids_of(tokenizer, *pieces)
    rules, stop = [scripted([script], ids.shape[1])], [stop_string(tokenizer, text)]
    made = generate(model, ids, rules=rules, max_new_tokens=len(script), stop=stop)
    assert tokenizer.decode(made[0, ids.shape[1] :]) == (wanted or "".join(pieces))


def test_rows_stop_at_their_own_time(pocket):
    model, tokenizer = pocket
    ids = torch.tensor([ids_of(tokenizer, "A.")] * 3)
    dot, b, c, d = ids_of(tokenizer, ".", " B", " C", " D")
    rules = [scripted([[b, dot, c, d], [b, c, dot, d], [b, c, d, b]], ids.shape[1])]
    options = {"rules": rules, "stop": [stop_string(tokenizer, ".")]}
    for eos in (None, 7):  # what fills up the rows: the model's end, or this
        made = generate(model, ids, eos_token_id=eos, max_new_tokens=4, **options)
        fill = eos or tokenizer.eos_token_id
        rows = [[b, dot, fill, fill], [b, c, dot, fill], [b, c, d, b]]
        assert made[:, ids.shape[1] :].tolist() == rows


def test_stops_are_drop_in_both_ways(pocket):
    model, tokenizer = pocket
    ids = torch.tensor([ids_of(tokenizer, "<|endoftext|>", "Once upon a time")])
    theirs = library.StopStringCriteria(tokenizer, ["."])
    options = {"max_new_tokens": 40}
    made = generate(model, ids, stop=library.StoppingCriteriaList([theirs]), **options)
    for stop in ([stop_string(tokenizer, ".")], [theirs]):
        assert torch.equal(made, generate(model, ids, stop=stop, **options))
        other = by_the_library(model, ids, stopping_criteria=stop, **options)
        assert torch.equal(made, other)
    assert tokenizer.decode(made[0]).endswith(".")
    ends = [library.EosTokenCriteria(3)]
    same = generate(random_model(), random_ids(), stop=ends, max_new_tokens=9)
    alike = generate(random_model(), random_ids(), eos_token_id=3, max_new_tokens=9)
    assert torch.equal(same, alike)


def bad(message, ids=None, kind=ValueError, model=None, **options):
    return pytest.param(ids, model, {"max_new_tokens": 3, **options}, kind, message)


ONES = torch.ones(1, 5, dtype=torch.long)
BROKE = "in row 0: a rule forbade all, or the model broke"
PROMPTS = [
    bad("expected input_ids (batch, seq), got (1, 0): begin with", ONES[:, :0]),
    bad("token id 24 is outside the vocabulary, 0 … 23", 24 * ONES),
    bad("input_ids are on meta, the model is on cpu: use input_", ONES.to("meta")),
    bad("41 tokens, but the model reads at most 40", ONES[:, :1].expand(1, 41)),
    bad("5 tokens of prompt and 37 new ones, but the model", max_new_tokens=37),
    bad("max_new_tokens is 0, expected", max_new_tokens=0),
    bad("eos_token_id is 24, expected", eos_token_id=24),
    bad("the model is in train mode, with dropout", model=random_model().train()),
]
FUNCTIONS = [  # what is wrong, and the option with it
    ("expected rules as a list of functions", {"rules": top_k(2)}),
    ("rules has 5 in it, expected functions", {"rules": [top_k(2), 5]}),
    ("a rule returned NoneType ()", {"rules": [lambda ids, logits: None]}),
    ("expected stop as a list of functions, got str", {"stop": "."}),
    ("stop returned bool (), not tru", {"stop": [lambda ids, z: True]}),
    ("stop returned torch.float32 (1,), not", {"stop": [lambda ids, z: torch.ones(1)]}),
    ("pick is 'greedy', expected greedy or sample(seed)", {"pick": "greedy"}),
    ("sample takes a seed, as sample(0), or a Generator: not T", {"pick": sample}),
    ("pick returned int (), not ids (1,)", {"pick": lambda z: 3}),
    ("pick returned torch.float32 (1,), not ids", {"pick": lambda z: z.amax(-1)}),
]
VALUES = [
    bad("pick returned 24 is outside the voc", pick=lambda z: torch.tensor([24])),
    bad(f"no token allowed {BROKE}", rules=[lambda ids, z: z - math.inf]),
    bad(f"NaN among the logits {BROKE}", rules=[lambda ids, z: z * math.nan]),
    bad("k is 25, expected at most the vocabulary's 24 tokens", rules=[top_k(25)]),
    *[bad(line, kind=TypeError, **option) for line, option in FUNCTIONS],
]
PADS = "the pads are not on the left, so the text would go on from a pad: set tok"
SHAPE = "expected attention_mask as a tensor (1, 5), like input_ids, got "
MASKS = [
    bad(PADS, attention_mask=torch.tensor([[1, 1, 1, 1, 0]])),
    bad(PADS, attention_mask=torch.zeros(1, 5)),
    bad(f"{SHAPE}torch.Size([1, 4])", attention_mask=ONES[:, :4]),
    bad(f"{SHAPE}list", attention_mask=[[1] * 5]),
    bad("attention_mask has other values than", attention_mask=ONES * -math.inf),
]


@pytest.mark.parametrize(
    ("ids", "model", "options", "kind", "message"), PROMPTS + VALUES + MASKS
)
def test_bad_input_has_its_own_line(ids, model, options, kind, message):
    calls = [generate] if "attention_mask" in options else [generate, stream]
    for call in calls:
        with pytest.raises(kind, match="^" + re.escape(message)):
            list(call(model or random_model(), ONES if ids is None else ids, **options))


def test_stream_complains_when_it_is_called():
    with pytest.raises(ValueError, match="^expected one text to go on from, got 2 row"):
        stream(random_model(), ONES.expand(2, 5), max_new_tokens=3)


@pytest.mark.parametrize("pick", [greedy, sample(0)])
@pytest.mark.parametrize("logits", [torch.zeros(5), torch.zeros(1, 5).long()])
def test_pickers_refuse_what_are_no_logits(pick, logits):
    with pytest.raises(ValueError, match="^expected floating logits"):
        pick(logits)


def test_rules_never_write_into_the_prompt():
    def scribble(input_ids, next_logits):
        input_ids[:] = 0
        return next_logits

    model, ids = random_model(), random_ids()
    generate(model, ids, rules=[scribble], max_new_tokens=2)
    beam_search(model, ids, rules=[scribble], num_beams=2, max_new_tokens=2)
    assert torch.equal(ids, random_ids())


def test_generated_ids_can_be_trained_on():
    model = random_model()
    ids = generate(model, random_ids(), max_new_tokens=4)
    (found,) = beam_search(model, random_ids(), num_beams=2, max_new_tokens=4)
    other = contrastive_search(model, random_ids(), k=2, alpha=0.5, max_new_tokens=4)
    for made in (ids, found.ids[None], other):
        model(made, labels=made).loss.backward()
    assert model.transformer.wte.weight.grad.abs().sum() > 0
    assert not any(p.grad is None for p in model.parameters())


def test_rows_that_stop_are_filled_with_a_token_of_the_vocabulary():
    model = random_model(eos_token_id=50256)
    never = [lambda ids, logits: torch.zeros(len(ids), dtype=torch.bool)]
    with pytest.raises(ValueError, match="^eos_token_id is 50256, expected one tok"):
        generate(model, random_ids(rows=2), stop=never, max_new_tokens=3)
    assert generate(model, random_ids(), stop=never, max_new_tokens=3).shape == (1, 8)
