"""Wrong answers to the exercises of day 1, and right ones in several styles."""

import itertools

import torch
from transformers import GPT2LMHeadModel


def copies(parameters, gib, dtype):
    return gib * 2**30 // (parameters * dtype.itemsize)


def copies_by_loop(parameters, gib, dtype):
    left, one, fitted = gib * 1024**3, parameters * torch.ones(1, dtype=dtype).nbytes, 0
    while left >= one:
        left, fitted = left - one, fitted + 1
    return fitted


def shape(name, config):
    d, inner = config.n_embd, config.n_inner or 4 * config.n_embd
    ways = {"c_attn": (d, 3 * d), "attn.c_proj": (d, d)}
    ways |= {"c_fc": (d, inner), "mlp.c_proj": (inner, d), "ln_": (d, d)}
    if "wte" in name:
        return config.vocab_size, d
    if "wpe" in name:
        return config.n_positions, d
    into, out = next(way for part, way in ways.items() if part in name)
    return (into, out) if name.endswith("weight") and "ln_" not in name else (out,)


def shape_from_model(name, config):
    return GPT2LMHeadModel(config).get_parameter(name).shape


def shape_with(change):
    def answer(name, config):
        return change(name, tuple(shape(name, config)), config)

    return answer


def count(config):
    d, layers = config.n_embd, config.n_layer
    block = (d + 1) * 3 * d + (d + 1) * d + (d + 1) * 4 * d + (4 * d + 1) * d + 4 * d
    return (config.vocab_size + config.n_positions) * d + layers * block + 2 * d


def count_from_model(config):
    with torch.device("meta"):
        return GPT2LMHeadModel(config).num_parameters()


def count_plus(excess):
    return lambda config: count(config) + excess(config, config.n_embd)


def shared(model):
    weights = model.state_dict()
    places = [weight.data_ptr() for weight in weights.values()]
    return {n for n, w in weights.items() if places.count(w.data_ptr()) > 1}


def shared_by_parameters(model):
    named = list(model.named_parameters(remove_duplicate=False))
    pairs = itertools.combinations(named, 2)
    return [name for pair in pairs if pair[0][1] is pair[1][1] for name, _ in pair]


def shared_where(same):
    def answer(model):
        pairs = itertools.combinations(model.state_dict().items(), 2)
        return {name for a, b in pairs if same(a[1], b[1]) for name in (a[0], b[0])}

    return answer


HEAD = {"transformer.wte.weight", "lm_head.weight"}

RIGHT = {
    "day01_copies": [copies, copies_by_loop],
    "day01_shape": [shape, shape_from_model],
    "day01_count": [count, count_from_model],
    "day01_shared": [shared, shared_by_parameters],
}

WRONG = {
    "day01_copies": [
        ("GB for GiB", lambda n, g, t: g * 10**9 // (n * t.itemsize), "2**30"),
        ("always float32", lambda n, g, t: g * 2**30 // (n * 4), "this dtype"),
        ("always bfloat16", lambda n, g, t: g * 2**30 // (n * 2), "this dtype"),
        ("bits", lambda n, g, t: g * 2**30 // (n * t.itemsize * 8), "in bytes already"),
        ("rounded up", lambda n, g, t: -(-g * 2**30 // (n * t.itemsize)), "round down"),
        ("not rounded", lambda n, g, t: g * 2**30 / (n * t.itemsize), "half copy"),
        ("a float", lambda n, g, t: g * 2**30 / (n * t.itemsize) // 1, "whole numbers"),
        ("nothing returned", lambda n, g, t: None, "None"),
    ],
    "day01_shape": [
        ("nothing returned", lambda name, config: None, "None"),
        (
            "as nn.Linear stores it: (out, in)",
            shape_with(lambda n, s, c: s if "wte" in n or "wpe" in n else s[::-1]),
            "(in, out)",
        ),
        ("all on their side", shape_with(lambda n, s, c: s[::-1]), "(rows, d_model)"),
        (
            "query alone",
            shape_with(lambda n, s, c: (*s[:-1], c.n_embd) if "c_attn" in n else s),
            "query, key and value",
        ),
        (
            "a bias with two axes",
            shape_with(lambda n, s, c: (1, *s) if n.endswith("bias") else s),
            "one axis",
        ),
        (
            "a number where a tuple of one belongs",
            shape_with(lambda n, s, c: s if len(s) > 1 else s[0]),
            "a shape is a tuple",
        ),
        (
            "a bias for what goes in",
            shape_with(
                lambda n, s, c: (
                    (c.n_embd,) if n.endswith("bias") and "c_proj" not in n else s
                )
            ),
            "one number for each output",
        ),
        (
            "one c_proj for both",
            lambda n, c: shape(n.replace("attn.c_proj", "mlp.c_proj"), c),
            "two c_proj",
        ),
        (
            "the MLP always four times as wide",
            shape_with(
                lambda n, s, c: tuple(4 * c.n_embd if x == c.n_inner else x for x in s)
            ),
            "n_inner is given",
        ),
    ],
    "day01_count": [
        ("the head twice", count_plus(lambda c, d: c.vocab_size * d), "count it once"),
        ("no words", count_plus(lambda c, d: -c.vocab_size * d), "token embedding"),
        ("no positions", count_plus(lambda c, d: -c.n_positions * d), "position embed"),
        ("no last norm", count_plus(lambda c, d: -2 * d), "ln_f"),
        ("no biases", count_plus(lambda c, d: -c.n_layer * 9 * d), "has a bias"),
        ("no norms", count_plus(lambda c, d: -c.n_layer * 4 * d), "two norms"),
        ("one norm a block", count_plus(lambda c, d: -c.n_layer * 2 * d), "two norms"),
        ("the rule of thumb", count_plus(lambda c, d: -c.n_layer * 13 * d), "thumb"),
        (
            "the rule of thumb, no last norm",
            count_plus(lambda c, d: -c.n_layer * 13 * d - 2 * d),
            "thumb",
        ),
        ("one of q, k, v", count_plus(lambda c, d: -c.n_layer * 2 * d * d), "three"),
        (
            "no output matrix",
            count_plus(lambda c, d: -c.n_layer * (d * d + d)),
            "c_proj",
        ),
        (
            "positions learned by heart",
            count_plus(lambda c, d: (17 - c.n_positions) * d),
            "weight by weight",
        ),
        (
            "each head has its own full matrices",
            count_plus(lambda c, d: c.n_layer * (c.n_head - 1) * 3 * d * d),
            "weight by weight",
        ),
        ("the number of tensors", lambda c: 12 * c.n_layer + 4, "weight by weight"),
        ("nothing returned", lambda c: None, "None"),
    ],
    "day01_shared": [
        ("the same object", shared_where(lambda a, b: a is b), "data_ptr"),
        (
            "parameters without duplicates",
            lambda model: {
                pair[0][0]
                for pair in itertools.combinations(model.named_parameters(), 2)
                if pair[0][1] is pair[1][1]
            },
            "data_ptr",
        ),
        (
            "duplicates dropped by named_parameters",
            lambda model: {
                name
                for name, w in model.named_parameters()
                if [v.data_ptr() for v in model.parameters()].count(w.data_ptr()) > 1
            },
            "named_parameters() drops",
        ),
        ("groups of names", lambda model: {frozenset(HEAD)}, "not groups"),
        ("one name", lambda model: "lm_head.weight", "one set of names"),
        ("equal values", shared_where(torch.equal), "equal values"),
        ("nothing returned", lambda model: None, "None"),
        ("names by heart", lambda model: HEAD, "not at the names"),
        ("only one name of the pair", lambda model: {"lm_head.weight"}, "name all"),
        (
            "only what the config says",
            lambda model: HEAD if model.config.tie_word_embeddings else set(),
            "every tensor",
        ),
    ],
}
