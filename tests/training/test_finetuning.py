"""Fine-tuning: what is learned, what a stop costs, and what is refused."""

import json
import math
import re
import resource
import shutil
import time
from random import Random

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from transformers import GPT2Config, GPT2LMHeadModel, TrainerCallback

from helpers.corpora import load_corpus
from helpers.models import load_model
from helpers.training import ByLength, Rows, collate, finetune, finetuning
from helpers.training.finetuning import texts_of
from helpers.training.folders import TrainingError, last_save
from tests.training.processes import free_port, of_two, start

QUICK = {"learning_rate": 1e-2, "batch_size": 4, "epochs": 2, "report": None}
QUICK |= {"precision": "float32", "block_size": 64}


@pytest.fixture(scope="module")
def poems():
    return list(load_corpus("verse", limit=60))


@pytest.fixture(scope="module")
def base(tmp_path_factory, tokenizer):
    """A folder with a tiny model and the pocket's tokenizer."""
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    size = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 128}
    ends = dict.fromkeys(("bos_token_id", "eos_token_id"), tokenizer.eos_token_id)
    config = GPT2Config(vocab_size=len(tokenizer), **size, **ends)  # with dropout
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def weights(folder):
    return load_file(folder / "model.safetensors")


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def whole(base, poems, tmp_path_factory):
    """A run that nothing stopped."""
    output = tmp_path_factory.mktemp("whole") / "run"
    return finetune(poems, model=base, output=output, **QUICK)


def test_it_learns_and_loads_back(whole, base):
    rows = json.loads((whole / "history.json").read_text())
    held = [row for row in rows if "nll" in row]
    assert held[-1]["nll"] < held[0]["nll"] - 0.5
    assert all(row["perplexity"] == pytest.approx(math.exp(row["nll"])) for row in held)
    assert all({"step", "epoch", "sample"} <= row.keys() for row in held)
    assert any("learning_rate" in row for row in rows)
    model, tokenizer = load_model(str(whole), device="cpu")
    assert not same(weights(whole), weights(base))
    assert f"{held[0]['perplexity']:,.2f} before" in (whole / "README.md").read_text()
    made = {path.name for path in whole.iterdir()} - {"generation_config.json"}
    made -= {"special_tokens_map.json"}
    assert made == {"config.json", "model.safetensors", "recipe.json", "README.md"} | {
        "history.json",
        "curves.png",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def again(*given):
    corpus, output, how = given
    finetune(corpus, output=output, **how)


@pytest.fixture(scope="module")
def seconds(base, poems, tmp_path_factory):
    """How long a run takes in a process that has just been started."""
    how = {"model": base, **QUICK}
    start(again, poems, tmp_path_factory.mktemp("first") / "run", how).join()
    begun = time.monotonic()
    start(again, poems, tmp_path_factory.mktemp("timed") / "run", how).join()
    return time.monotonic() - begun


SAVING, FINISHING = "work/*/optimizer.pt", "model.safetensors"  # files that appear


@pytest.mark.parametrize("moment", [*range(10), SAVING, FINISHING])
def test_a_killed_run_ends_as_one_that_was_not(
    whole, base, poems, seconds, tmp_path, moment
):
    given = poems, tmp_path / "run", {"model": base, **QUICK}
    run = start(again, *given)
    if isinstance(moment, int):
        run.join(Random(moment).uniform(0.1, 1) * seconds)
    else:
        while not list(given[1].glob(moment)):
            assert run.is_alive()
    run.kill()
    run.join()
    finetune(poems, output=given[1], **given[2])
    assert same(weights(whole), weights(given[1]))
    assert (given[1] / "history.json").read_text() == (
        whole / "history.json"
    ).read_text()
    assert not list(given[1].glob("*unfinished*"))


def small_files(most, said, *given):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    try:
        again(*given)
    except TrainingError as error:
        said.write_text(str(error))


@pytest.mark.parametrize("most", [500, 300_000, 700_000])  # bytes: nothing, weights, …
def test_a_full_disk_is_told_and_nothing_is_lost(whole, base, poems, tmp_path, most):
    given, said = (poems, tmp_path / "run", {"model": base, **QUICK}), tmp_path / "said"
    start(small_files, most, said, *given).join()
    assert re.fullmatch(r"/\S+/run cannot be (.+): make room, .+", said.read_text())
    finetune(poems, output=given[1], **given[2])
    assert same(weights(whole), weights(given[1]))


def test_a_finished_run_is_not_done_again(whole, base, poems):
    before = {path.name: path.stat().st_mtime_ns for path in whole.iterdir()}
    (whole / "work").mkdir()  # as when it was killed while its saves were removed
    assert finetune(poems, model=base, output=whole, **QUICK) == whole
    after = {path.name: path.stat().st_mtime_ns for path in whole.iterdir()}
    assert after == before


def test_a_save_that_was_cut_off_is_not_gone_on_from(tmp_path):
    for step in (4, 8, 12):
        (tmp_path / f"checkpoint-{step}").mkdir()
    (tmp_path / "checkpoint-4" / "trainer_state.json").write_text("{}")
    (tmp_path / "checkpoint-8" / "trainer_state.json").write_text('{"epo')
    assert last_save(tmp_path) == str(tmp_path / "checkpoint-4")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-4"]


def test_pads_are_not_learned_and_ends_are(tmp_path, tokenizer, pocket):
    texts, end = ["a kite", "a kite and a boat"], tokenizer.eos_token_id
    rows = Rows(tmp_path, tokenizer, texts, 64, "documents")
    batch = collate([rows[0], rows[1]], end)
    short = len(rows[0]["input_ids"])
    assert rows[0]["input_ids"][0] == rows[0]["input_ids"][-1] == end
    assert batch["labels"][0].tolist()[:short] == rows[0]["input_ids"]
    assert set(batch["labels"][0].tolist()[short:]) == {-100}
    with torch.no_grad():
        loss = pocket[0](**batch).loss
        nats, places = 0.0, 0
        for row in (rows[0], rows[1]):
            ids = torch.tensor([row["input_ids"]])
            logits = pocket[0](ids).logits[0, :-1]
            nats += cross_entropy(logits, ids[0, 1:], reduction="sum")
            places += ids.shape[1] - 1
    assert loss.item() == pytest.approx((nats / places).item(), rel=1e-5)


def test_rows_are_read_again_as_they_were_written(tmp_path, tokenizer, poems):
    for form in ("documents", "packed"):
        first = Rows(tmp_path / form, tokenizer, poems, 64, form)
        again = Rows(tmp_path / form, tokenizer, [], 64, form)
        assert len(first) == len(again) > 10
        assert all(first[i] == again[i] for i in range(len(first)))
    assert {len(row["input_ids"]) for row in first} == {64}


def test_batches_have_rows_of_like_length_in_a_new_order_each_time(tmp_path, tokenizer):
    texts = ["a" + " kite" * (i % 7) for i in range(103)]
    rows = Rows(tmp_path, tokenizer, texts, 64, "documents")
    orders = []
    for epoch in (0, 1, 0):
        rows.set_epoch(epoch)
        orders.append(list(ByLength(rows, 4, seed=5)))
    assert orders[0] == orders[2] != orders[1]
    assert all(len(set(order)) == len(order) == 100 for order in orders)
    lengths = [len(rows[i]["input_ids"]) for i in orders[0]]
    spans = [
        max(lengths[i : i + 4]) - min(lengths[i : i + 4]) for i in range(0, 100, 4)
    ]
    assert sum(spans) <= 7  # of 25 batches; in any order it would be about 100
    assert list(ByLength(rows, 4, seed=6)) != orders[0]


def test_long_documents_go_on_in_further_rows(tmp_path, tokenizer):
    text, end = "a kite and a boat and a drum", tokenizer.eos_token_id
    rows = Rows(tmp_path, tokenizer, [text], 4, "documents")
    learned = [token for i in range(len(rows)) for token in rows[i]["input_ids"][1:]]
    assert learned == [*tokenizer(text)["input_ids"], end]
    assert max(len(rows[i]["input_ids"]) for i in range(len(rows))) == 4


def test_what_is_measured_is_not_learned_from(tmp_path, monkeypatch):
    monkeypatch.setattr(finetuning, "HELD_OUT", 5)
    one = tmp_path / "one.txt"
    one.write_text("word " * 400)
    twice = [f"text {i // 2}" for i in range(60)]
    corpora = load_corpus("verse", limit=40), load_corpus(str(one)), twice
    sizes = (40, 5), (1, 1), (50, 5)
    for corpus, size in zip(corpora, sizes, strict=True):
        learned, held = texts_of(corpus, None)
        assert not set(held) & set(learned)
        assert (len(list(learned)), len(held)) == size
    learned, held = texts_of(load_corpus(str(one)), None)
    assert [len(text.split()) for text in (*learned, *held)] == [360, 40]
    with pytest.raises(TrainingError, match="verse .* is also what would be measured"):
        texts_of(load_corpus("verse", split="validation"), None)


def test_early_stopping_counts_on_after_a_stop(base, poems, tmp_path):
    class Stop(TrainerCallback):
        def on_step_begin(self, args, state, control, **_):
            if state.global_step == 11:
                raise KeyboardInterrupt

    how = {"model": base, "held_out": ["Zanzibar"], "patience": 2, "evaluations": 12}
    wanted = finetune(poems, output=tmp_path / "whole", **how, **QUICK)
    how |= {"output": tmp_path / "run", **QUICK}
    with pytest.raises(KeyboardInterrupt):
        finetune(poems, callbacks=[Stop()], **how)
    found = finetune(poems, **how)
    histories = [(run / "history.json").read_text() for run in (wanted, found)]
    assert histories[0] == histories[1] and json.loads(histories[0])[-1]["step"] == 15


def test_a_loss_that_is_no_number_stops_the_training(base, poems, tmp_path):
    model, _ = load_model(str(base), device="cpu")
    model.transformer.wte.weight.data[5:] = math.nan
    broken = tmp_path / "broken"
    shutil.copytree(base, broken)
    model.save_pretrained(broken)
    with pytest.raises(ValueError) as error:
        finetune(poems, model=broken, output=tmp_path / "run", **QUICK)
    assert "\n" not in str(error.value)


BAD = [
    ({"corpus": ["one"]}, "1 documents, of which one must be held out"),
    ({"corpus": []}, "0 documents, of which one must be held out"),
    ({"epochs": -1}, "epochs is -1, expected a number above 0"),
    ({"precision": "int8"}, "precision is 'int8', expected float32, bfloat16 or None"),
    ({"form": "rows"}, "form is 'rows', expected one of documents, packed"),
    ({"form": "packed", "block_size": 128, "corpus": ["a", "b"]}, "less than a block"),
]


@pytest.mark.parametrize(("options", "line"), BAD)
def test_what_cannot_be_done_is_told_and_leaves_nothing(base, tmp_path, options, line):
    how = {"corpus": ["a kite", "a boat"], "model": base, "output": tmp_path / "run"}
    with pytest.raises((TrainingError, ValueError)) as error:
        finetune(**how | QUICK | options)
    assert line in str(error.value) and "\n" not in str(error.value)
    assert not list(tmp_path.glob("run/*"))


def test_another_runs_folder_is_refused(whole, base, poems):
    before = {path.name: path.read_bytes() for path in whole.iterdir()}
    with pytest.raises(TrainingError, match=r"begun with learning_rate 0.01\): choose"):
        finetune(poems, model=base, output=whole, **QUICK | {"learning_rate": 1e-3})
    assert before == {path.name: path.read_bytes() for path in whole.iterdir()}


@pytest.fixture(scope="module")
def calm(base, tmp_path_factory):
    """The tiny model without dropout, whose numbers come in another order in parts."""
    folder = tmp_path_factory.mktemp("calm") / "model"
    shutil.copytree(base, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def losses(output):
    rows = json.loads((output / "history.json").read_text())
    return [row[name] for row in rows for name in ("loss", "nll") if name in row]


def test_parts_of_a_step_make_the_curve_of_the_whole(calm, poems, tmp_path):
    how = QUICK | {"model": calm, "batch_size": 8}
    wanted = losses(finetune(poems, output=tmp_path / "one", **how))
    how |= {"batch_size": 4}
    spared = {"accumulation": 2, "checkpointing": True}
    parts = finetune(poems, output=tmp_path / "parts", **spared, **how)
    assert losses(parts) == pytest.approx(wanted, abs=1e-3)
    port, given = free_port(), (poems, tmp_path / "two", how)
    runs = [start(again, *given, **of_two(rank, port)) for rank in (0, 1)]
    assert [run.join() or run.exitcode for run in runs] == [0, 0]
    assert losses(given[1]) == pytest.approx(wanted, abs=1e-3)
