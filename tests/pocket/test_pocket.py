"""The pocket model as shipped, and a very short run of how it was made."""

import hashlib
import json
import math
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from itertools import count, islice, repeat
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from transformers import GPT2LMHeadModel

from helpers.decoding import sample
from helpers.evaluation.samples import sample_texts
from helpers.models import ModelError, load_model
from helpers.options import UsageError
from helpers.pocket import batches, measure, targets
from helpers.pocket import training as pocket
from helpers.pocket.card import write_card
from helpers.pocket.measure import STRATEGIES
from helpers.pocket.saves import NEW_LOG, replacing, settle
from helpers.tokens.byte_level import pretokenise as words
from helpers.worlds import END, FRESH, RECALL, load_world, task_world
from tests.cli.waiting import is_running, until
from tests.lanes import ROOT


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


def test_it_is_a_small_gpt2(shipped):
    model, tokenizer = shipped
    assert type(model) is GPT2LMHeadModel
    assert model.num_parameters() <= 8_000_000
    assert model.config.n_positions >= 512
    assert tokenizer.eos_token_id == len(tokenizer) - 1 == model.config.vocab_size - 1
    size = sum(path.stat().st_size for path in pocket.POCKET.iterdir())
    assert size <= 20e6


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
    assert write_card(figures, log) == (folder / "README.md").read_text()


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
    reader = targets.WordTargets(tokenizer, batches.SHARES)
    rows = batches.pack(batches.chunk(reader, 99 * pocket.CHUNKS))[:4]
    ids = torch.tensor([row.ids.tolist() for row in rows])
    with torch.no_grad():
        logits = model(ids).logits[:, :-1].transpose(1, 2)
    losses = torch.nn.functional.cross_entropy(logits, ids[:, 1:], reduction="none")
    losses = losses.mean(0)
    assert losses[-100:].mean() < losses[:100].mean() + 0.6


def test_the_tokenizer_gives_every_document_back(tokenizer):
    texts = [load_world(name).sample(i) for name in batches.SHARES for i in range(20)]
    texts += ["naïve 🙂\n\t x", "日本"]
    assert [tokenizer.decode(ids) for ids in tokenizer(texts)["input_ids"]] == texts
    assert tokenizer.convert_ids_to_tokens(len(tokenizer) - 1) == END


def test_each_word_of_the_worlds_is_one_token(shipped):
    tokenizer = shipped[1]
    for name in batches.SHARES:
        texts = map(load_world(name).sample, range(300))
        pieces = {piece for text in texts for piece in words(text)}
        split = {piece for piece in pieces if len(tokenizer(piece)["input_ids"]) > 1}
        assert len(split) <= 0.01 * len(pieces), split


@pytest.fixture(scope="module")
def chunk(tokenizer):
    return batches.chunk(targets.TrueTargets(tokenizer, batches.SHARES), 0)


def test_workers_end_with_a_training_that_is_killed(tmp_path):
    program = (
        "import itertools, sys\n"
        "from multiprocessing import active_children\n"
        "from helpers.pocket import batches, training\n"
        "if __name__ == '__main__':\n"
        "    batches.CHUNK = 8\n"
        "    tokenizer = training.train_tokenizer(400, documents=2)\n"
        "    for _ in batches.chunks(tokenizer, 'words', 0, 1):\n"
        "        print(active_children()[0].pid, flush=True)\n"
    )
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, str(tmp_path / "program.py")]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as run:
        worker = int(run.stdout.readline())
        run.kill()
    until(lambda: not is_running(worker))


def test_rows_hold_whole_documents_or_the_full_context(tokenizer, small, chunk):
    assert set(batches.SHARES) == {"stories", "code", "lists"}  # verse: fine-tuning
    eos = tokenizer.eos_token_id
    form = {"packed": small.packed, "bare": small.bare, "seed": 0}
    made = batches.batches(repeat(chunk), size=lambda: small.batch, **form)
    rows = [row for batch in islice(made, 100) for row in batch]
    for row in rows:
        assert len(row.ids) == len(row.counts) + 1 <= batches.CONTEXT
        assert row.ids[-1] == eos or len(row.ids) == batches.CONTEXT
        assert row.counts.sum() == len(row.tokens) == len(row.probs)
    bare = sum(row.ids[0] != eos for row in rows) / len(rows)
    assert 0.05 < bare < 0.15


def test_only_the_truth_has_more_of_the_rare_lists(tokenizer, chunk):
    drawn, shares = targets.WordTargets(tokenizer, batches.SHARES), {}
    recall = task_world(RECALL)
    for reader, read in (("truth", chunk), ("words", batches.chunk(drawn, 0))):
        texts = tokenizer.batch_decode([document.ids[1:-1] for document in read])
        recalls = [t for t in texts if math.isfinite(recall.log_prob(t))]
        shares[reader] = len(recalls) / len(texts)
    more = batches.RARE["recall"] / (1 + sum(batches.RARE.values()))
    assert shares["truth"] - shares["words"] > more / 2


def test_true_targets_are_the_worlds_next_words(tokenizer, chunk):
    eos, start = tokenizer.eos_token_id, dict.fromkeys(range(len(tokenizer)), 0.0)
    for name, share in batches.SHARES.items():  # any world may begin
        for word, p in load_world(name).next_words("").items():
            start[tokenizer(word)["input_ids"][0]] += share * p
    for document in chunk[:8]:
        ids, world = document.ids.tolist(), load_world("stories")
        first = document.cut(0, 2)
        assert ids[0] == ids[-1] == eos
        for token, p in zip(first.tokens, first.probs, strict=True):
            assert p == pytest.approx(start[token], rel=1e-5)
        text = tokenizer.decode(ids[1:-1])
        if world.log_prob(text) == -math.inf:
            continue
        own, ends = [], document.counts.cumsum()
        for i, token in enumerate(ids[1:]):  # the exact probability of the text
            here = slice(ends[i] - document.counts[i], ends[i])
            own.append(document.probs[here][document.tokens[here] == token].item())
            assert document.probs[here].sum() == pytest.approx(1, abs=1e-5)
        known = world.log_prob(text) + math.log(batches.SHARES["stories"])
        assert sum(map(math.log, own)) == pytest.approx(known, abs=1e-3)


def test_the_loss_is_the_cross_entropy_with_distributions(
    tokenizer, chunk, monkeypatch
):
    monkeypatch.setattr(targets, "AT_ONCE", 100)
    torch.manual_seed(0)
    head = torch.nn.Linear(8, len(tokenizer))
    for rows in (chunk[:3], batches.pack(chunk)[:2]):
        batch = targets.collate(rows, tokenizer.eos_token_id)
        hidden = torch.randn(*batch.input_ids.shape, 8, requires_grad=True)
        dense = torch.zeros(batch.input_ids.numel(), len(tokenizer))
        dense[batch.places, batch.tokens] = batch.probs
        assert torch.allclose(dense.sum(-1), batch.used, atol=1e-4)
        n, logits = batch.used.sum(), head(hidden).flatten(0, 1)
        loss = -(dense * logits.log_softmax(-1)).sum() / n
        wanted = torch.autograd.grad(loss, [hidden, head.weight])
        head.zero_grad()
        said, entropy = targets.backward(hidden, head, batch)
        assert said == pytest.approx(loss.item(), rel=1e-5)
        certain = torch.special.entr(dense).sum() / n
        assert entropy == pytest.approx(certain.item(), rel=1e-4)
        for true, own in zip(wanted, (hidden, head.weight), strict=True):
            assert torch.allclose(true, own.grad, atol=1e-6)


def test_the_loss_of_words_is_the_one_gpt2_had(tokenizer):
    reader = targets.WordTargets(tokenizer, batches.SHARES)
    batch = targets.collate([reader.read("a kite"), reader.read("b")], 0)
    hidden = torch.randn(*batch.input_ids.shape, 8, requires_grad=True)
    head = torch.nn.Linear(8, len(tokenizer))
    unused = batch.used.view(2, -1)[:, :-1] == 0
    labels = batch.input_ids[:, 1:].long().masked_fill(unused, -100)
    named = torch.nn.functional.cross_entropy(
        head(hidden)[:, :-1].transpose(1, 2), labels
    )
    said = targets.backward(hidden, head, batch)
    assert said == pytest.approx((named.item(), 0), rel=1e-5)


@pytest.mark.parametrize("seed", [0, 99])
@pytest.mark.parametrize("number", [0, 9, pocket.CHUNKS - 1])
def test_training_and_measuring_never_share_a_seed(monkeypatch, seed, number):
    world, reader = Mock(), Mock()
    monkeypatch.setattr(batches, "load_world", lambda name: world)
    batches.chunk(reader, seed * pocket.CHUNKS + number)
    seeds = {call.args[0] for call in world.sample.mock_calls}
    assert len(seeds) == batches.CHUNK
    assert min(seeds) >= 0 and max(seeds) < FRESH
    world.reset_mock()  # another chunk has documents of its own
    batches.chunk(reader, seed * pocket.CHUNKS + number + 1)
    assert not seeds & {call.args[0] for call in world.sample.mock_calls}


def silent(line):
    """Report nothing."""


def files_of(folder):
    files = [path for path in folder.iterdir() if path.is_file()]
    return {path.name: path.read_bytes() for path in files}


def test_a_short_run_learns_and_goes_on_where_it_stopped(
    tmp_path, small, tokenizer, monkeypatch
):
    monkeypatch.setattr(pocket, "train_tokenizer", lambda vocab: tokenizer)
    monkeypatch.setattr(batches, "CHUNK", 64)
    said = []
    run = {"workers": 0, "report": said.append}
    folder = pocket.pretrain(tmp_path / "out", small, **run)
    assert said[0].startswith("training in ")
    log = json.loads((folder / "training.json").read_text())
    assert log["tokens"] >= small.tokens
    assert log["recipe"]["seed"] == small.seed
    model, _ = load_model(folder, device="cpu")
    untrained = pocket.new_model(small, tokenizer)
    ids = torch.tensor([tokenizer(load_world("stories").sample(FRESH))["input_ids"]])
    with torch.no_grad():
        before, after = (m(ids, labels=ids).loss for m in (untrained.eval(), model))
    assert after < before - 0.5

    earlier = files_of(folder)
    longer = replace(small, tokens=small.tokens + 5_000)
    with pytest.raises(UsageError, match=r"\(it was begun with seed 0\): choose"):
        pocket.pretrain(folder, replace(longer, seed=1), workers=0, report=silent)
    with monkeypatch.context() as patch, pytest.raises(UsageError, match="No space"):
        patch.setattr(type(tokenizer), "save_pretrained", full)
        pocket.pretrain(folder, longer, workers=0, report=silent)
    assert earlier == files_of(folder)

    pocket.pretrain(folder, longer, workers=0, report=silent)
    more = json.loads((folder / "training.json").read_text())
    assert more["tokens"] >= longer.tokens
    assert [run["first_step"] for run in more["runs"]] == [1, log["steps"] + 1]
    for name in ("config.json", "generation_config.json", "tokenizer.json"):
        assert files_of(folder)[name] == earlier[name]


def full(*_):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("moment", range(6))
def test_a_kill_during_a_save_leaves_all_of_one(tmp_path, monkeypatch, moment):
    steps = count()

    def killed(function):
        def step(self, target):
            if next(steps) == moment:
                raise KeyboardInterrupt
            return function(self, target)

        return step

    for text in ("old", "new"):
        with suppress(KeyboardInterrupt), replacing(tmp_path) as place:
            for name in "abc":
                (place / name).write_text(text)
            monkeypatch.setattr(Path, "rename", killed(Path.rename))
            monkeypatch.setattr(Path, "replace", killed(Path.replace))
    monkeypatch.undo()
    settle(tmp_path)
    content = {name: data.decode() for name, data in files_of(tmp_path).items()}
    assert content in (dict.fromkeys("abc", "old"), dict.fromkeys("abc", "new"))


LOG = json.dumps({"recipe": {}, **NEW_LOG})
BAD_OUTPUTS = [
    ({"model.safetensors": "theirs"}, "its model.safetensors is another model's"),
    ({"training.json": ""}, "Expecting value"),
    ({"training.json": "[1]"}, "training.json is not that of a pretraining"),
    ({"training.json": LOG}, "it was begun with targets None"),
]


@pytest.mark.parametrize(("content", "reason"), BAD_OUTPUTS)
def test_a_folder_of_something_else_is_left_alone(tmp_path, content, reason):
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError) as error:
        pocket.pretrain(tmp_path, pocket.Recipe(), report=silent)
    line = f"--output {str(tmp_path)!r} cannot be used ({reason}"
    assert str(error.value).startswith(line)
    assert files_of(tmp_path) == {n: text.encode() for n, text in content.items()}


WRONG = [
    (pocket, ["--output", ""], "--output is empty"),
    (pocket, ["--output", __file__], f"--output {__file__!r} cannot be used ("),
    (pocket, ["--tokens", "0"], "--tokens must be at least 1, not 0"),
    (pocket, ["--seed", "100"], "--seed must lie in 0 … 99, not 100"),
    (measure, ["--texts", "0", "floor"], "--texts must be at least 1, not 0"),
    (measure, ["--texts", "7", "frontier"], "--texts must be at least 8, not 7"),
    (measure, ["floor", "--write"], "--write needs all parts, and at least 500"),
    (measure, ["checkpoints"], "checkpoints needs folders of saves"),
    (measure, ["all"], "argument part: invalid choice: 'all'"),
    (measure, ["--model", "/nope"], "there is no folder and no model on the hub named"),
]


@pytest.mark.parametrize(("command", "arguments", "line"), WRONG)
def test_mistakes_are_one_line_before_anything_is_computed(command, arguments, line):
    with pytest.raises((UsageError, ModelError)) as error:
        command.main(arguments)
    assert str(error.value).startswith(line) and "\n" not in str(error.value)


def test_a_run_whose_weights_are_gone_says_so(tmp_path):
    log = {**NEW_LOG, "recipe": pocket.asdict(pocket.Recipe())}
    (tmp_path / "training.json").write_text(json.dumps(log))
    with pytest.raises(ModelError, match="has no config.json: "):
        pocket.pretrain(tmp_path, pocket.Recipe(), report=silent)
    assert [*files_of(tmp_path)] == ["training.json"]


def test_a_card_needs_the_log_of_a_training(tmp_path):
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / name).symlink_to(pocket.POCKET / name)
    with pytest.raises(UsageError, match=r"the card needs the log of the model's"):
        measure.main(["--model", str(tmp_path)])


def test_one_part_is_measured_by_itself(capsys):
    assert measure.main(["lists", "--texts", "1"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == ["lists"]


def test_saves_are_measured_beside_each_other(capsys, monkeypatch):
    monkeypatch.setattr(measure.frontier, "MOST", 4)
    folder = str(pocket.POCKET)
    assert measure.main(["--texts", "2", "checkpoints", folder, folder]) == 0
    first, second = json.loads(capsys.readouterr().out)["checkpoints"]
    assert first == second and first["tokens"] > 1e6 and first["targets"] == "truth"
    assert first["excess"][0] == pytest.approx(first["loss"][0] - first["floor"][0])
    assert 0 <= first["whole"][0] <= 1


def test_the_frontier_is_printed_as_it_is_stored(capsys, monkeypatch, tmp_path):
    some = {"some": {"T = 1.0": [], "beams": "beam"}}
    monkeypatch.setattr(measure, "FRONTIER", some)
    monkeypatch.setattr(measure.frontier, "MOST", 4)
    assert measure.main(["frontier", "--texts", "8"]) == 0
    path = tmp_path / "frontier.json"
    path.write_text(capsys.readouterr().out)
    stored = measure.frontier.stored(path)
    assert stored.stories == 8 and {*map(len, stored.verdicts.values())} == {8}
    assert stored.families["truth"]["the world's own"].accepted.value == 1
    assert stored.families["some"].keys() == some["some"].keys()
