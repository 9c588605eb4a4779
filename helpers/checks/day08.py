"""Checks for day 8: the parts of a GPT-2, a block mended, places as angles."""

from functools import partial

import torch
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.checks.common import exercise, expect
from helpers.checks.values import same
from helpers.parity import compare, parts


@torch.no_grad()
def _reference(layers):
    """Return a small random GPT-2 on which mistakes show, and ids that it can read."""
    sizes = {"n_layer": layers, "n_embd": 12, "n_head": 3, "vocab_size": 20}
    more = {"n_positions": 9, "layer_norm_epsilon": 0.02}  # so large that it shows
    model = GPT2LMHeadModel(GPT2Config(**sizes, **more, **ENDS)).eval()
    luck = torch.Generator().manual_seed(8)
    for weight in model.parameters():
        weight.copy_(0.7 * torch.randn(weight.shape, generator=luck))
    return model, torch.randperm(20, generator=luck)[None, :5]


def part(text, cases, layers=1):
    """Return the check of a part: in a whole model, the debugger says what is wrong."""
    right = getattr(parts, text.partition("(")[0])

    def judge(answer):
        reference, ids = _reference(layers)
        own = {right.__name__: answer}
        report = compare(parts.assembled(reference, **own), reference, ids)
        if not report.equal:
            return f"{report.cause} (first difference: {report.operation})"

    return exercise(text, cases=cases, right=right, wrong={}, judge=judge)


def _random(*shapes):
    luck = torch.Generator().manual_seed(8)
    return [torch.randn(shape, generator=luck) for shape in shapes]


ENDS = {"bos_token_id": 0, "eos_token_id": 0}
IDS = torch.tensor([[3, 1, 4, 0], [2, 7, 1, 8]])
X, WIDE, SQUARE, TABLE, W, B = _random((2, 5, 12), (12, 36), (12, 12), (9, 12), 12, 12)
CALLS = [torch.tanh, torch.cos, torch.sin, torch.sigmoid]
day08_embed = part(
    "embed(input_ids, wte, wpe): a row for each token, and for its place.",
    cases=[(IDS, TABLE, TABLE[1:].flip(0)), (IDS[:1, :3], TABLE, SQUARE)],
)
day08_layer_norm = part(
    "layer_norm(x, weight, bias, eps): over the last axis.",
    cases=[(X, W, B, 1e-5), (X[:1], W, B, 0.1)],
)
day08_attend = part(
    "attend(query, key, value): softmax(Q K^T / sqrt(d_head) + M) V.",
    cases=[tuple(_random(*3 * [(2, 3, 5, 4)])), tuple(_random(*3 * [(6, 3)]))],
)
day08_attention = part(
    "attention(x, c_attn, attend, c_proj, heads): all heads at once.",
    cases=[
        (X, lambda x: x @ WIDE, parts.attend, lambda x: x @ SQUARE, heads)
        for heads in (3, 4)
    ],
)
day08_gelu = part("gelu(x): the tanh form.", cases=[(X,), (torch.linspace(-4, 4, 9),)])
day08_block = part(
    "block(x, ln_1, attn, ln_2, mlp): each half added to what came in.",
    cases=[(X, *CALLS), (X[:1], *CALLS[::-1])],
)
day08_stack = part(
    "stack(x, blocks, ln_f, wte): the layers, the last norm, the head.",
    cases=[(X, CALLS, torch.sinh, TABLE), (X[:1], CALLS[1:], torch.cosh, TABLE)],
    layers=2,
)


def _split(z, heads):
    return z.unflatten(-1, (heads, -1)).transpose(1, 2)  # (batch, head, seq, d_head)


def _thirds(z, heads):
    return [_split(third, heads) for third in z.chunk(3, dim=-1)]


_kernel = partial(F.scaled_dot_product_attention, is_causal=True)


def _mend(block, x, heads, cut=_thirds, sum_=lambda x, y: x, attend=_kernel):
    y = block.ln_1(x)
    gathered = attend(*cut(block.attn.c_attn(y), heads)).transpose(1, 2).flatten(2)
    x = sum_(x, y) + block.attn.c_proj(gathered)
    return x + block.mlp.c_proj(parts.gelu(block.mlp.c_fc(block.ln_2(x))))


def _by_heads(query, key, value):
    return _kernel(query, key, value, scale=query.shape[1] ** -0.5)


def _try_block(mended, d, heads):
    """Run an answer on a small random block, whose parts have the lesson's names."""
    sizes = {"n_layer": 1, "vocab_size": 9, "n_positions": 9}
    config = GPT2Config(n_embd=d, n_head=heads, **sizes, **ENDS)
    luck = torch.Generator().manual_seed(d)
    with torch.no_grad():
        block = GPT2LMHeadModel(config).eval().transformer.h[0]
        for parameter in block.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=luck)
        block.attn.register_forward_hook(lambda attn, given, answer: answer[0])
        itself = "block(x) is what you are writing: it would call itself"
        block.forward = lambda *given, **options: expect(False, itself)
        x = torch.randn(2, 7, d, generator=luck)
        given = x.clone()
        answer = mended(block, x, heads)
    expect(torch.equal(x, given), "x was changed in place: x = x + …, not x +=")
    return answer


# In the order in which the debugger meets them; what to do, the learner finds out.
CUT = "still wrong: how query, key and value are cut out of what c_attn returns"
STREAM = "still wrong: what attention's output is added to"
day08_mend = exercise(
    "mended(block, x, heads): what a block of GPT-2 does.",
    cases=[(24, 4), (16, 2)],
    call=_try_block,
    same=partial(same, atol=1e-4),
    hint=lambda *_: "something is still wrong: what does try_out(mended) say?",
    right=_mend,
    wrong={
        CUT: partial(_mend, cut=lambda z, n: _split(z, n).chunk(3, dim=-1)),
        STREAM: partial(_mend, sum_=lambda x, y: y),
        "still wrong: what the kernel does with the scores": partial(
            _mend, attend=_by_heads
        ),
        "still wrong: what the kernel does with the scores, and more": partial(
            _mend, sum_=lambda x, y: y, attend=_by_heads
        ),
        "use heads, they need not be 8": lambda block, x, heads: _mend(block, x, 8),
        "it must be causal": partial(_mend, attend=F.scaled_dot_product_attention),
    },
)


def _turn(x, base=10_000, first=0, speed=1.0, way=1, beside=False):
    d = x.shape[-1]
    places = torch.arange(x.shape[-2]) + first
    angle = way * places[:, None] * base ** (-speed * torch.arange(d // 2) / (d // 2))
    a, b = (x[..., ::2], x[..., 1::2]) if beside else x.chunk(2, dim=-1)
    turned = a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()
    return torch.stack(turned, -1).flatten(-2) if beside else torch.cat(turned, -1)


day08_turn = exercise(
    "turn(x, base): pair i, (x_i, x_(i + d/2)), turned by t * base ** (-2 i / d).",
    cases=[(_random((2, 3, 5, 8))[0], 10_000), (_random((7, 4))[0], 100)],
    same=partial(same, atol=1e-4),
    right=_turn,
    wrong={
        "a pair is i and i + d/2, not two neighbours": partial(_turn, beside=True),
        "the first place is 0: its vector does not turn": partial(_turn, first=1),
        "every pair turns as fast; the angle falls with i": partial(_turn, speed=0),
        "the exponent is -2 i / d, with d the length of x": partial(_turn, speed=0.5),
        "it turns the other way: a cos - b sin, a sin + b cos": partial(_turn, way=-1),
        "use base, it need not be 10,000": lambda x, base: _turn(x),
    },
)
