"""Fine-tuning: what is learned, what a stop costs, and what is refused."""

import json
import math
import shutil

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from transformers import GPT2Config, GPT2LMHeadModel, TrainerCallback

from helpers.corpora import load_corpus
from helpers.models import load_model
from helpers.training import Rows, collate, finetune
from helpers.training.finetuning import TrainingError, last_save

QUICK = {"learning_rate": 1e-2, "batch_size": 4, "epochs": 2, "progress": False}
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
    assert f"{held[0]['perplexity']:.2f} before" in (whole / "README.md").read_text()
    assert not (whole / "work").exists()


class Stop(TrainerCallback):
    """Stops a training as a kill would, at a step, at some moment of it."""

    def __init__(self, moment, step):
        self.step = step
        setattr(self, moment, self.stop)

    def stop(self, args, state, control, **_):
        if state.global_step == self.step:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("moment", "step"),
    [("on_step_begin", 0), ("on_step_end", 3), ("on_save", 5), ("on_step_end", 11)]
    + [("on_pre_optimizer_step", 16), ("on_evaluate", 20), ("on_epoch_end", 14)],
)
def test_a_stopped_run_ends_as_one_that_was_not(
    whole, base, poems, tmp_path, moment, step
):
    how = {"model": base, "output": tmp_path / "run", **QUICK}
    with pytest.raises(KeyboardInterrupt):
        finetune(poems, callbacks=[Stop(moment, step)], **how)
    assert same(weights(whole), weights(finetune(poems, **how)))
    history = (whole / "history.json").read_text()
    assert (tmp_path / "run" / "history.json").read_text() == history


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
    ({"form": "rows"}, "form is 'rows', expected documents or packed"),
    ({"form": "packed", "block_size": 128, "corpus": ["a", "b"]}, "less than a block"),
]


@pytest.mark.parametrize(("options", "line"), BAD)
def test_what_cannot_be_done_is_told_and_leaves_nothing(base, tmp_path, options, line):
    how = {"corpus": ["a kite"] * 4, "model": base, "output": tmp_path / "run"}
    with pytest.raises((TrainingError, ValueError)) as error:
        finetune(**how | QUICK | options)
    assert line in str(error.value) and "\n" not in str(error.value)
    assert not list(tmp_path.glob("run/*"))


def test_another_runs_folder_is_refused(whole, base, poems):
    before = {path.name: path.read_bytes() for path in whole.iterdir()}
    with pytest.raises(TrainingError, match=r"begun with learning_rate 0.01\): choose"):
        finetune(poems, model=base, output=whole, **QUICK | {"learning_rate": 1e-3})
    assert before == {path.name: path.read_bytes() for path in whole.iterdir()}


def test_several_batches_of_one_step_are_as_one_large_batch(base, poems, tmp_path):
    runs = []
    for batch, accumulation in ((8, 1), (4, 2)):
        how = QUICK | {"batch_size": batch, "accumulation": accumulation, "epochs": 1}
        model = tmp_path / f"model{batch}"
        shutil.copytree(base, model)
        config = json.loads((model / "config.json").read_text())
        config |= dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
        (model / "config.json").write_text(json.dumps(config))
        output = finetune(poems, model=model, output=tmp_path / f"run{batch}", **how)
        runs.append(json.loads((output / "history.json").read_text())[-1]["nll"])
    assert runs[0] == pytest.approx(runs[1], abs=1e-3)
