"""The pocket model as shipped, and a very short run of how it was made."""

import hashlib
import json
import math
import time
from dataclasses import replace
from itertools import islice

import pytest
import torch
from transformers import GPT2LMHeadModel

from helpers.decoding import sample
from helpers.evaluation.samples import sample_texts
from helpers.models import load_model
from helpers.pocket import batches
from helpers.pocket import training as pocket
from helpers.pocket.card import write_card
from helpers.pocket.measure import STRATEGIES
from helpers.tokens.byte_level import pretokenise as words
from helpers.worlds.world import END, FRESH, load_world


@pytest.fixture(scope="module")
def shipped():
    return load_model("pocket", device="cpu")


@pytest.fixture(scope="module")
def small():
    size = {"layers": 1, "heads": 2, "width": 32, "vocab": 600, "embedding": 0.1}
    return pocket.Recipe(tokens=30_000, batch=400, muon=1e-2, adamw=1e-2, **size)


@pytest.fixture(scope="module")
def tokenizer(small):
    return pocket.train_tokenizer(small.vocab, documents=200)


def test_it_is_a_small_gpt2_that_loads_fast(shipped):
    model, tokenizer = shipped
    assert type(model) is GPT2LMHeadModel
    assert model.num_parameters() <= 8_000_000
    assert model.config.n_positions >= 512
    assert tokenizer.eos_token_id == len(tokenizer) - 1 == model.config.vocab_size - 1
    size = sum(path.stat().st_size for path in pocket.POCKET.iterdir())
    assert size <= 20e6
    start = time.perf_counter()
    load_model("pocket", device="cpu")
    assert time.perf_counter() - start < 5  # about 0.2 s; a busy machine may take more


def test_its_files_are_those_of_the_checksums():
    lines = (pocket.POCKET / "SHA256SUMS").read_text().splitlines()
    sums = dict(line.split()[::-1] for line in lines)
    assert {"model.safetensors", "tokenizer.json", "config.json"} <= set(sums)
    for name, checksum in sums.items():
        data = (pocket.POCKET / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == checksum, name


def test_its_card_is_written_from_its_measurements():
    folder = pocket.POCKET
    figures = json.loads((folder / "measurements.json").read_text())
    log = json.loads((folder / "training.json").read_text())
    card = write_card(figures, log)
    assert card == (folder / "README.md").read_text()


def test_it_tells_stories_the_world_accepts(shipped):
    world, nucleus = load_world("stories"), STRATEGIES["top-p 0.9"]
    prompts = [words(world.sample(FRESH + i))[0] for i in range(48)]
    options = {"prompts": prompts, "rules": nucleus, "pick": sample(0)}
    texts = sample_texts(*shipped, 48, **options)
    card = json.loads((pocket.POCKET / "measurements.json").read_text())
    share = card["stories"]["strategies"]["top-p 0.9"]["accepted"]
    right = sum(world.first_error(text) is None for text in texts)
    margin = 3.5 * math.sqrt(48 * share * (1 - share))
    assert max(1, 48 * share - margin) <= right <= 48 * share + margin


def test_every_position_was_trained(shipped):
    model, tokenizer = shipped
    stream = batches.documents(tokenizer, 99)
    rows = torch.tensor(batches.pack(stream, 4))
    with torch.no_grad():
        logits = model(rows).logits
    losses = torch.nn.functional.cross_entropy(
        logits[:, :-1].transpose(1, 2), rows[:, 1:], reduction="none"
    ).mean(0)
    assert losses[-100:].mean() < losses[:100].mean() + 0.6


def test_the_tokenizer_gives_every_document_back(tokenizer):
    texts = [load_world(name).sample(i) for name in batches.SHARES for i in range(20)]
    texts += ["naïve 🙂\n\t x", "日本"]
    assert [tokenizer.decode(ids) for ids in tokenizer(texts)["input_ids"]] == texts
    assert tokenizer.convert_ids_to_tokens(len(tokenizer) - 1) == END


def test_rows_hold_whole_documents_or_the_full_context(tokenizer, small):
    eos = tokenizer.eos_token_id
    form = {"size": small.batch, "packed": small.packed, "bare": small.bare}
    made = batches.batches(tokenizer, **form, seed=0)
    rows = [row for batch in islice(made, 60) for row in batch]
    for row in rows:
        assert len(row) <= batches.CONTEXT
        assert row[-1] == eos or len(row) == batches.CONTEXT
    bare = sum(row[0] != eos for row in rows) / len(rows)
    assert 0.05 < bare < 0.15


def test_pads_are_never_labels():
    ids, labels = batches.collate([[9, 1, 9], [9, 1, 2, 3, 9]], pad=9)
    assert ids.tolist() == [[9, 1, 9, 9, 9], [9, 1, 2, 3, 9]]
    assert labels.tolist() == [[9, 1, 9, -100, -100], [9, 1, 2, 3, 9]]


def test_training_and_measuring_never_share_a_seed(monkeypatch, tokenizer):
    seeds = []
    world = load_world("stories")

    class Spy:
        def sample(self, seed):
            seeds.append(seed)
            return world.sample(seed)

    monkeypatch.setattr(batches, "load_world", lambda name: Spy())
    for _ in islice(batches.documents(tokenizer, 3), 600):
        pass
    assert len(set(seeds)) == len(seeds) and max(seeds) < FRESH


def test_a_short_run_learns_and_goes_on_where_it_stopped(tmp_path, small):
    folder = pocket.pretrain(tmp_path / "out", small, report=lambda line: None)
    log = json.loads((folder / "training.json").read_text())
    assert log["tokens"] >= small.tokens
    assert log["recipe"]["seed"] == small.seed
    model, tokenizer = load_model(folder, device="cpu")
    untrained = pocket.new_model(small, tokenizer)
    ids = torch.tensor([tokenizer(load_world("stories").sample(FRESH))["input_ids"]])
    with torch.no_grad():
        before, after = (m(ids, labels=ids).loss for m in (untrained.eval(), model))
    assert after < before - 0.5

    longer = replace(small, tokens=small.tokens + 5_000)
    pocket.pretrain(folder, longer, report=lambda line: None)
    more = json.loads((folder / "training.json").read_text())
    assert more["tokens"] >= longer.tokens
    assert [run["first_step"] for run in more["runs"]] == [1, log["steps"] + 1]


def test_every_run_has_documents_of_its_own(tokenizer):
    first, second = (batches.documents(tokenizer, 0, run) for run in (0, 1))
    first = {tuple(ids) for _, ids in islice(first, 300)}
    assert not first & {tuple(ids) for world, ids in islice(second, 300)}
