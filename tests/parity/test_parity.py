"""helpers.parity: right models of any style are equal, planted bugs are found."""

import math

import pytest
import torch
from torch.nn import functional as F

from helpers.parity.compare import compare
from helpers.parity.mistakes import trace
from tests.parity.planted_bugs import BUGS, Learner, learner, where
from tests.parity.rights import ALONE, RIGHT, Loops, encoder
from tests.random_models import random_ids, random_model


def random_reference(**options):
    options = {"n_layer": 2, "n_positions": 24, "layer_norm_epsilon": 1e-3, **options}
    return random_model(**options)


@pytest.fixture(scope="module")
def reference():
    return random_reference()


@pytest.fixture(scope="module")
def ids(reference):
    return random_ids(reference, 1, 11)


def planted(cause):
    return next(bug for bug in BUGS if bug.cause == cause)


@pytest.mark.parametrize("options", [{}, {"n_layer": 3, "n_head": 2, "n_embd": 24}])
def test_the_checkpoints_are_the_library(options):
    reference = random_reference(**options)
    ids = random_ids(reference, 2, 9)
    weights = reference.transformer.state_dict()
    weights["the head.weight"] = reference.lm_head.weight
    reference.set_attn_implementation("eager")
    with torch.no_grad():
        steps = list(trace(weights, reference.config, ids))
        wanted = reference(ids, output_hidden_states=True, output_attentions=True)
    steps = {(step.layer, step.name): step.value for step in steps}
    layers = range(reference.config.n_layer)
    found = [steps[None, "embedded"], *(steps[i, "added"] for i in layers)]
    found[-1] = steps[None, "ln_f"]  # the library's last one is behind the norm
    found += [steps[i, "weights"] for i in layers] + [steps[None, "logits"]]
    right = [*wanted.hidden_states, *wanted.attentions, wanted.logits]
    torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("style", RIGHT)
@pytest.mark.parametrize("batch", [1, 2])
def test_a_right_model_is_equal_in_any_style(reference, style, batch):
    batch = 1 if style in ALONE else batch
    ids = random_ids(reference, batch, 11)
    report = compare(RIGHT[style](reference), reference, ids)
    assert report.equal and report.operation is None, report
    assert report.difference < 1e-5
    assert repr(report).startswith("Equal: ")


@pytest.mark.parametrize("style", RIGHT)
def test_the_pocket_model_is_equal_in_any_style(pocket, style):
    reference, _ = pocket
    ids, model = random_ids(reference, 1, 16), RIGHT[style](reference)
    report = compare(model, reference, ids)
    assert report.equal
    if isinstance(model, Learner):  # nothing is added to what the two return
        gap = (model(ids) - reference(ids).logits).abs().max().item()
        assert report.difference == gap > 0


def test_planted_bugs_are_localised(reference, ids):
    assert len(BUGS) >= 80
    for bug in BUGS:
        report = compare(bug.build(reference), reference, ids)
        assert not report.equal and report.operation == bug.operation, report
        assert bug.cause in report.cause, report
        assert 2 <= len(repr(report).splitlines()) <= 6


def test_bugs_are_localised_in_another_batch_and_shape():
    reference = random_reference(n_layer=3, n_head=2, n_embd=24)
    ids = random_ids(reference, 2, 7, seed=1)
    for bug in BUGS[::10]:
        report = compare(bug.build(reference), reference, ids)
        # these depend on the number of heads
        sized = bug.cause.startswith(("heads is", "epsilon"))
        assert sized or report.operation == bug.operation, report


PAIRS = [
    ("not scaled", "exact GELU"),
    ("counted from 1", "no causal mask"),
    ("sees the next token", "not added to feed-forward"),
    ("bias of attn.c_attn is missing", "ReLU"),
    ("bias of attn.c_attn is missing", "exact GELU"),
    ("query, value, key", "not scaled"),
    ("without transposing", "probabilities are returned"),
    ("exact GELU", "twice"),
    ("epsilon of the layer norm is 0.01", "no causal mask"),
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_of_two_bugs_the_first_is_named(reference, ids, first, second):
    first, second = planted(first), planted(second)
    changes = second.changes | first.changes
    assert len(changes) == 2
    report = compare(second.style(reference, **changes), reference, ids)
    assert report.operation == first.operation
    assert first.cause in report.cause
    assert not report.alone and "more may differ after it" in repr(report)


def test_a_bug_in_one_layer_is_found_there(reference, ids):
    model = learner(reference)
    model.h[1].mlp.activate = lambda x: F.gelu(x)
    report = compare(model, reference, ids)
    assert report.operation == where(1, "gelu")
    assert "exact GELU" in report.cause and report.alone


def test_a_layer_in_one_operation_is_searched_as_a_whole(reference, ids):
    """PyTorch fuses these layers when it knows their GELU."""
    report = compare(encoder(reference, F.gelu), reference, ids)
    assert report.operation == where(0, "gelu") and report.alone


def test_an_unknown_mistake_is_described(reference, ids):
    def mask(self, scores):
        scores[..., 3:, 2] += 0.5
        return scores.masked_fill(self.future(len(ids[0])), -math.inf)

    report = compare(learner(reference, attn_mask=mask), reference, ids)
    assert report.operation == where(0, "masked") and not report.known
    assert "up to 0.5; positions that agree: [0, 1, 2]. Perhaps " in report.cause
    assert "Likely cause" not in repr(report)


def keep_conv(model):
    for block in model.h:
        block.mlp.c_fc.weight.data = block.mlp.c_fc.weight.data.T.clone()


def unknown(self, x):
    return gelu_new(x)  # noqa: F821


def view(self, x):
    return x.view(len(x), self.heads, x.shape[1], -1)


def merge(self, x):
    return x.transpose(1, 2).view(len(x), x.shape[2], -1)


STOPS = [
    ("whole", keep_conv, "c_fc", "nn.Linear wants (out, in)"),
    ("attn_split", view, "query_heads", "RuntimeError: view"),
    ("attn_merge", merge, "merged", "RuntimeError: view"),
    ("mlp_activate", unknown, "gelu", "NameError: name 'gelu_new'"),
]


@pytest.mark.parametrize(("method", "change", "operation", "cause"), STOPS)
def test_a_model_that_stops_is_reported(
    reference, ids, method, change, operation, cause
):
    report = compare(learner(reference, **{method: change}), reference, ids)
    assert report.operation == where(0, operation)
    assert "Your model stops here with" in report.cause and cause in report.cause
    assert report.difference == math.inf
    assert len(repr(report).splitlines()) == 3


def test_the_checked_operations_end_at_the_difference(reference, ids):
    model = learner(reference, mlp_activate=lambda s, x: x.relu())
    report = compare(model, reference, ids)
    status = {check.operation: check.status for check in report.checked}
    assert status[where(0, "c_fc")] == "agreed"
    assert status[where(0, "gelu")] == "differs"
    assert status[where(0, "c_proj")] == "not seen"
    assert list(status.values()).count("differs") == 1


def test_modes_weights_and_luck_are_left_alone(reference, ids):
    model = learner(reference, whole=lambda model: model.train())
    before = {name: w.clone() for name, w in model.state_dict().items()}
    drops = planted("switch dropout off").build(reference)
    luck = torch.get_rng_state()
    assert compare(model, reference, ids).equal
    assert not compare(drops, reference, ids).equal
    assert torch.equal(torch.get_rng_state(), luck)
    assert model.training and not reference.training
    assert all(torch.equal(w, before[n]) for n, w in model.state_dict().items())


def test_ids_without_a_batch_are_accepted(reference, ids):
    assert compare(Loops(reference), reference, ids[0]).equal
    assert compare(learner(reference), reference, ids[0]).equal


def test_gradients_are_not_recorded(reference, ids):
    seen = []
    change = {"mlp_activate": lambda s, x: seen.append(x.requires_grad) or x}
    compare(learner(reference, **change), reference, ids)
    assert seen and not any(seen)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda r: learner(random_reference(vocab_size=120)), r"\(1, 11, 120\), ex"),
        (
            lambda r: learner(random_reference(n_embd=64)),
            r"\(seq, d_model\) = \(11, 32",
        ),
        (lambda r: lambda ids: 3, "the model returned int, expected"),
        (
            lambda r: lambda ids: r(ids).logits[:, -1],
            r"\(1, 11, 97\): logits for every",
        ),
    ],
)
def test_a_model_of_another_size_is_refused(reference, ids, build, message):
    with pytest.raises(ValueError, match=message):
        compare(build(reference), reference, ids)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([[0]], r"expected 2 to 128 tokens as input_ids, got \(1, 1\)"),
        ([[[0, 0, 0]] * 2], r"expected input_ids \(batch, seq\)"),
    ],
)
def test_ids_that_do_not_fit_are_refused(reference, ids, message):
    with pytest.raises(ValueError, match=message):
        compare(reference, reference, torch.tensor(ids))


def test_a_reference_beside_its_weights_is_refused(ids):
    other = random_reference()
    luck, model = torch.get_rng_state(), learner(other)
    other.transformer.h[1].mlp.register_forward_hook(lambda m, args, out: out * 1.01)
    with pytest.raises(ValueError, match=r"logits differ by .* no hooks"):
        compare(model, other, ids)
    with pytest.raises(ValueError, match="float32, eval mode"):
        compare(model, random_reference().train(), ids)
    assert torch.equal(torch.get_rng_state(), luck)


def test_a_reference_of_another_kind_is_refused(ids):
    other = random_reference(activation_function="relu")
    with pytest.raises(ValueError, match="the engine knows activation_function"):
        compare(other, other, ids)


@pytest.mark.parametrize("epsilon", [0.0, 1e-12, 1e-8, 1e-6])
def test_any_wrong_epsilon_is_called_that_and_placed(pocket, epsilon):
    def squeeze(model):
        for block in model.h:
            block.ln_1.eps = block.ln_2.eps = epsilon
        model.ln_f.eps = epsilon

    model, _ = pocket
    report = compare(learner(model, whole=squeeze), model, random_ids(model, 1, 12))
    size = "1e-06 or so" if epsilon == 1e-6 else "about 1e-07 or less"
    assert report.operation == where(0, "ln_1") and report.known
    assert report.cause == f"epsilon of the layer norm is {size}, not 1e-05"


def test_one_norm_for_both_is_not_called_an_exchange(reference, ids):
    def reuse(model):
        for block in model.h:
            block.ln_2 = block.ln_1

    report = compare(learner(reference, whole=reuse), reference, ids)
    assert report.cause == "ln_1 stands in place of ln_2, too" and report.alone
