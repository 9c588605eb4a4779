"""Loading: every way in, and every way it can fail, with the line the learner reads."""

import contextlib
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import huggingface_hub.file_download
import pytest
import torch
from hub import COMMIT, serve
from huggingface_hub import constants
from IPython.core.interactiveshell import InteractiveShell
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel

import helpers.models.hub
from helpers.models import (
    ModelError,
    count_parameters,
    find_folder,
    load_model,
    sizes,
)
from helpers.models.hub import POCKET

KNOWN = "pocket, gpt2, gpt2-medium, gpt2-large, gpt2-xl"
NOWHERE = "http://127.0.0.1:9"  # nothing listens on the discard port
ADVICE = "go online once, or use COURSE_MODEL=pocket, or give a folder"
SAVE = "save the model and its tokenizer there again, with save_pretrained"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Folder with a GPT-2 of 2 layers and a tokenizer that knows bytes only."""
    folder = tmp_path_factory.mktemp("tiny")
    symbols = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "<|endoftext|>"]
    vocab = {symbol: i for i, symbol in enumerate(symbols)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    shape = {"n_layer": 2, "n_head": 2, "n_embd": 16, "n_positions": 32}
    ends = {"bos_token_id": 256, "eos_token_id": 256}
    config = GPT2Config(vocab_size=len(vocab), **shape, **ends)
    torch.manual_seed(0)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(tiny, tmp_path):
    """A copy of the tiny model that a test may spoil."""
    return Path(shutil.copytree(tiny, tmp_path / "model"))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, online, with a hub that refuses until a test says otherwise."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    point_at(monkeypatch, NOWHERE)
    return tmp_path / "cache"


def point_at(monkeypatch, url):
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def line(name, **options):
    """The one line with which load_model refuses."""
    with pytest.raises(ModelError) as caught:
        load_model(name, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def same_weights(one, other):
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


# What is loaded


def test_folder_gives_an_evaluating_float32_model_with_a_pad_token(tiny):
    model, tokenizer = load_model(str(tiny), device="cpu")
    assert not model.training and model.dtype == torch.float32
    assert tokenizer.pad_token == tokenizer.eos_token == "<|endoftext|>"
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id == 256
    assert tokenizer.padding_side == "right"
    assert tokenizer.decode(tokenizer("a kite").input_ids) == "a kite"
    assert model.device == torch.device("cpu")
    assert model.name_or_path == tokenizer.name_or_path == str(tiny)


def test_bfloat16_on_disk_is_float32_in_memory(folder):
    weights = load_file(folder / "model.safetensors")
    halves = {name: weight.bfloat16() for name, weight in weights.items()}
    save_file(halves, folder / "model.safetensors", {"format": "pt"})
    model, _ = load_model(folder)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_files_as_the_hub_has_them_load_the_same(tiny, folder):
    """There: no prefix, no head, and constants that older versions saved."""
    stored = load_file(folder / "model.safetensors")
    weights = {k.removeprefix("transformer."): v for k, v in stored.items()}
    assert "wte.weight" in weights and "lm_head.weight" not in weights
    for layer in range(2):
        weights[f"h.{layer}.attn.bias"] = torch.ones(1, 1, 32, 32).tril()
        weights[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert same_weights(load_model(folder)[0], load_model(tiny)[0])


def test_a_pad_token_of_its_own_is_kept(folder):
    config = {"pad_token": "!", "eos_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    model, tokenizer = load_model(folder)
    assert tokenizer.pad_token == "!"
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id != 256


def test_loading_a_folder_prints_nothing(tiny, capfd):
    load_model(tiny)
    assert capfd.readouterr() == ("", "")


def test_name_comes_from_the_environment_else_pocket(tiny, monkeypatch):
    monkeypatch.setenv("COURSE_MODEL", str(tiny))
    assert load_model()[0].config.n_embd == 16
    monkeypatch.delenv("COURSE_MODEL")
    assert load_model()[0].name_or_path == "pocket"


def test_pocket_is_small_and_whole():
    model, tokenizer = load_model("pocket", device="cpu")
    assert model.num_parameters() <= 8_000_000 and model.config.n_positions >= 512
    assert tokenizer.eos_token == "<|endoftext|>"
    assert len(tokenizer) == model.config.vocab_size


def test_a_device_that_is_not_there_is_refused(tiny):
    end = "cannot be used here: leave it out, or use 'cpu'"
    assert line(tiny, device="gpu") == f"device 'gpu' {end}"


# Sizes


def test_sizes_are_the_published_ones():
    assert [(size.name, size.parameters) for size in sizes()] == [
        ("gpt2", 124_439_808),
        ("gpt2-medium", 354_823_168),
        ("gpt2-large", 774_030_080),
        ("gpt2-xl", 1_557_611_200),
    ]
    small = sizes()[0]
    assert (small.layers, small.heads, small.d_model) == (12, 12, 768)
    assert (small.n_positions, small.vocab_size) == (1024, 50257)
    assert small.float32_mib == pytest.approx(474.7, abs=0.05)
    assert small.bfloat16_mib == small.float32_mib / 2


@pytest.mark.parametrize(
    "config",
    [
        GPT2Config(),
        GPT2Config(n_layer=3, n_embd=48, n_head=4, n_inner=100, vocab_size=77),
        GPT2Config(n_layer=1, n_embd=8, n_head=2, tie_word_embeddings=False),
    ],
    ids=["gpt2", "odd", "untied"],
)
def test_formula_counts_what_a_model_has(config):
    with torch.device("meta"):
        model = GPT2LMHeadModel(config)
    assert count_parameters(config) == model.num_parameters()


# Folders that cannot be used


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_without_a_file_it_needs(folder, file):
    (folder / file).unlink()
    assert line(folder) == f"{folder} has no {file}: {SAVE}"


def test_a_folder_that_lacks_a_shard(folder):
    shards = {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}
    (folder / "model.safetensors").rename(folder / shards["a"])
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": shards}))
    assert line(folder) == f"{folder} has no model-2-of-2.safetensors: {SAVE}"


def test_pickled_weights_are_refused(folder):
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()
    assert line(folder) == (
        f"{folder} has no model.safetensors; its pickles may run any program when "
        f"opened, so they are refused: {SAVE}"
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-100],
        lambda content: b"",
        lambda content: b"<html>Welcome!</html>",
        lambda content: b"version https://git-lfs",
        lambda content: b"\0" * 99,
    ],
    ids=["cut short", "empty", "a page", "a pointer", "zeros"],
)
def test_weights_that_are_something_else(folder, damage):
    weights = folder / "model.safetensors"
    weights.write_bytes(damage(weights.read_bytes()))
    said = line(folder)
    assert said.startswith(
        f"{weights} cannot be used (Error while deserializing header"
    )
    assert said.endswith(f"): {SAVE}")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda w: w.pop("transformer.h.1.attn.c_attn.weight"),
            "1 weights missing, first transformer.h.1.attn.c_attn.weight",
        ),
        (
            lambda w: w.update({"score.weight": torch.ones(2, 16)}),
            "1 weights unexpected, first score.weight",
        ),
        (
            lambda w: w["transformer.wpe.weight"][-1].fill_(float("nan")),
            "some weights are not finite numbers",
        ),
        (
            lambda w: w["transformer.h.0.ln_1.bias"].fill_(float("inf")),
            "some weights are not finite numbers",
        ),
        (
            lambda w: w.update({n: x.to(torch.int8) for n, x in w.items()}),
            "weights are I8, expected floats",
        ),
    ],
    ids=["missing", "unexpected", "not a number", "infinite", "int8"],
)
def test_weights_that_do_not_fit_are_an_error(folder, change, reason):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert (
        line(folder) == f"{folder}/model.safetensors cannot be used ({reason}): {SAVE}"
    )


def test_weights_whose_sum_overflows_are_finite(folder):
    weights = load_file(folder / "model.safetensors")
    weights["transformer.wpe.weight"][5:].fill_(3e38)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert load_model(folder)[0].transformer.wpe.weight.max() == 3e38


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"n_positions": 64}, "1 weights misshapen, first transformer.wpe.weight"),
        ({"n_layer": 3}, "12 weights missing, first transformer.h.2.attn.c_attn.bias"),
        (
            {"n_layer": 1},
            "11 weights unexpected, first transformer.h.1.attn.c_attn.weight",
        ),
        (
            {"n_layer": 10**7},
            "11,184 numbers for 32,800,004,656 parameters of the config",
        ),
    ],
    ids=["shape", "more layers", "fewer layers", "ten million layers"],
)
def test_a_config_that_does_not_fit_the_weights(folder, changes, reason, monkeypatch):
    edit_config(folder, **changes)
    warned = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: warned.append(record))
    monkeypatch.setattr(logging.getLogger("transformers"), "handlers", [handler])
    assert line(folder).startswith(
        f"{folder}/model.safetensors cannot be used ({reason}"
    )
    assert not warned  # the line says it all


EPSILON = "n_head below 1, or layer_norm_epsilon not in (0, 1)"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"n_embd": "wide"}, "'n_embd' expected int, got str"),
        ({"n_head": 0}, EPSILON),
        ({"layer_norm_epsilon": -1e-5}, EPSILON),
        ({"layer_norm_epsilon": float("nan")}, EPSILON),
    ],
)
def test_a_config_with_a_wrong_entry(folder, changes, reason):
    edit_config(folder, **changes)
    said = line(folder)
    assert said.startswith(f"{folder}/config.json cannot be used (")
    assert reason in said and said.endswith(f"): {SAVE}")


def test_a_config_nested_too_deep(folder):
    (folder / "config.json").write_text("[" * 100_000)
    assert line(folder).startswith(f"{folder}/config.json cannot be used (no model_typ")


@pytest.mark.parametrize(
    "shards", [{"a": 1}, {}, ["a"], None, {"a": "../model.safetensors"}]
)
def test_an_index_that_names_no_files(folder, shards):
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    reason = "weight_map names no files beside it"
    assert line(folder) == (
        f"{index} cannot be used ({reason}): {SAVE}"
        if shards != {"a": 1}
        else f"{folder} has no 1: {SAVE}"
    )


def test_a_tokenizer_without_an_end(folder):
    (folder / "tokenizer_config.json").write_text('{"eos_token": null}')
    path = folder / "tokenizer.json"
    assert (
        line(folder) == f"{path} cannot be used (it has no end-of-text token): {SAVE}"
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("~nouser/x", "Could not determine home directory"),
        ("x/" + "y" * 5000, "[Errno 36] File name too long"),
        ("forbidden", "[Errno 13] Permission denied"),
    ],
)
def test_a_folder_that_cannot_be_looked_at(monkeypatch, name, reason):
    def is_dir(path):
        return refuse(path) if path.name == "forbidden" else os.stat(path) and True

    monkeypatch.setattr(Path, "is_dir", is_dir)
    said = line(name)
    assert said.startswith(f"'{name[:40]}") and len(said) < 400
    assert f" cannot be read or stored ({reason}" in said


def refuse(path, *options, **named):
    raise PermissionError(13, "Permission denied")


def test_weights_that_may_not_be_read_are_not_called_missing(folder, monkeypatch):
    opened = Path.open

    def open_file(path, *mode, **options):
        call = refuse if path.name == "model.safetensors" else opened
        return call(path, *mode, **options)

    monkeypatch.setattr(Path, "open", open_file)
    where = f"{folder}/model.safetensors cannot be used"
    assert line(folder) == f"{where} ([Errno 13] Permission denied): {SAVE}"


def test_a_notebook_shows_one_line():
    shell = InteractiveShell.instance()
    shell.run_cell("from helpers.models import load_model")
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        shell.run_cell("load_model('/no/such/folder')")
    assert shown.getvalue() == (
        "ModelError: there is no folder and no model on the hub named "
        f"'/no/such/folder': use {KNOWN}, a repository id or a folder\n"
    )


def test_a_relative_folder_is_looked_for_in_the_course_s_own_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_folder("data/pocket-gpt2") == POCKET


def test_a_tokenizer_larger_than_the_model(folder):
    path = folder / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.add_tokens(["kite"])
    tokenizer.save(str(path))
    reason = "258 tokens, the model knows 257"
    assert line(folder) == f"{path} cannot be used ({reason}): {SAVE}"


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json"])
def test_broken_json(folder, file):
    text = (folder / file).read_text()
    (folder / file).write_text(text[: len(text) // 2])
    said = line(folder)
    assert said.startswith(f"{folder / file} cannot be used (")
    assert said.endswith(f"): {SAVE}")


def test_another_kind_of_model(folder):
    edit_config(folder, model_type="llama")
    assert line(folder) == (
        f"'{folder}' is a model of type 'llama', and the course needs a 'gpt2': use "
        f"{KNOWN} or another GPT-2"
    )


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_damaged_pocket_model_can_be_restored(folder, monkeypatch):
    monkeypatch.setattr(helpers.models.hub, "POCKET", folder)
    (folder / "config.json").unlink()
    mend = "bring it back with: git restore data/pocket-gpt2"
    assert line("pocket") == f"{folder} has no config.json: {mend}"


# The hub


def test_from_the_hub_once_then_from_the_cache(cache, monkeypatch, capfd):
    monkeypatch.setenv("TQDM_POSITION", "-1")  # the library's way to force bars
    with serve({"gpt2": POCKET}) as hub:
        point_at(monkeypatch, hub.url)
        fetched, _ = load_model("gpt2")
        assert "model.safetensors: 100%" in capfd.readouterr().err
        asked = len(hub.requests)
        again, tokenizer = load_model("gpt2")
        assert capfd.readouterr() == ("", "")
        assert len(hub.requests) == asked > 0
    assert same_weights(fetched, load_model("pocket")[0])
    assert same_weights(fetched, again)
    assert again.name_or_path == tokenizer.name_or_path == "gpt2"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert same_weights(fetched, load_model("gpt2")[0])


def test_a_repository_of_somebody(cache, monkeypatch, tiny):
    with serve({"ann/tiny": tiny}) as hub:
        point_at(monkeypatch, hub.url)
        assert same_weights(load_model("ann/tiny")[0], load_model(tiny)[0])


def test_weights_in_several_files(cache, monkeypatch, tiny, folder):
    (folder / "model.safetensors").unlink()
    GPT2LMHeadModel.from_pretrained(tiny).save_pretrained(folder, max_shard_size="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    with serve({"ann/large": folder}) as hub:
        point_at(monkeypatch, hub.url)
        assert same_weights(load_model("ann/large")[0], load_model(tiny)[0])


def test_a_cache_that_cannot_be_written(cache, monkeypatch, tiny):
    cache.write_text("in the way")
    with serve({"gpt2": tiny}) as hub:
        point_at(monkeypatch, hub.url)
        said = line("gpt2")
        assert said.startswith(
            "'gpt2' cannot be read or stored ([Errno 20] Not a direc"
        )
        assert said.endswith(
            ": give another folder, or make room, or set HF_HOME elsewhere"
        )


def test_what_the_cache_lacks_is_fetched(cache, monkeypatch, tiny):
    with serve({"gpt2": tiny}) as hub:
        point_at(monkeypatch, hub.url)
        load_model("gpt2")
        cached(cache, "tokenizer.json").unlink()
        point_at(monkeypatch, NOWHERE)
        refused = f"and the hub ({NOWHERE}) cannot be reached"
        assert line("gpt2") == f"'gpt2' is not on this computer, {refused}: {ADVICE}"
        point_at(monkeypatch, hub.url)
        assert load_model("gpt2")[0].config.n_embd == 16


def test_damaged_in_the_cache(cache, monkeypatch, tiny):
    with serve({"gpt2": tiny}) as hub:
        point_at(monkeypatch, hub.url)
        load_model("gpt2")
        cached(cache, "model.safetensors").resolve().write_bytes(b"cut off")
        model_cache = cache / "models--gpt2"
        end = f"): delete {model_cache} and load 'gpt2' again"
        assert line("gpt2").endswith(end)
        shutil.rmtree(model_cache)
        assert same_weights(load_model("gpt2")[0], load_model(tiny)[0])


def cached(cache, file):
    return cache / "models--gpt2" / "snapshots" / COMMIT / file


def test_hub_refuses(cache):
    where = "'gpt2' is not on this computer, and the hub"
    assert line("gpt2") == f"{where} ({NOWHERE}) cannot be reached: {ADVICE}"


@pytest.mark.parametrize("fault", ["silent", "silent files"])
def test_hub_hangs(cache, monkeypatch, tiny, fault):
    monkeypatch.setattr(helpers.models.hub, "ANSWER_SECONDS", 1)
    with serve({"gpt2": tiny}, fault) as hub:
        point_at(monkeypatch, hub.url)
        where = f"'gpt2' is not on this computer, and the hub ({hub.url})"
        assert line("gpt2") == f"{where} does not answer: {ADVICE}"


def test_hub_stops_in_the_middle(cache, monkeypatch, tiny):
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    monkeypatch.setattr(huggingface_hub.file_download, "time", NoSleep)
    with serve({"gpt2": tiny}, "half files") as hub:
        point_at(monkeypatch, hub.url)
        where = f"'gpt2' is not on this computer, and the hub ({hub.url})"
        assert line("gpt2") == f"{where} does not answer: {ADVICE}"
        hub.fault = None
        assert load_model("gpt2")[0].config.n_embd == 16


class NoSleep:
    """Stands in for the time module: the library waits a second between its tries."""

    monotonic, perf_counter, time = time.monotonic, time.perf_counter, time.time

    def sleep(self):
        """Do not."""


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            "portal",
            "'gpt2' is not on this computer, and the hub (URL) cannot be reached: "
            + ADVICE,
        ),
        (
            "broken",
            "the hub answered 503 for URL/gpt2: try again later, "
            "or use COURSE_MODEL=pocket",
        ),
        (
            "gated",
            "the hub answered 403 for URL/gpt2: ask there for access, "
            "then check HF_TOKEN or run: hf auth login",
        ),
        (
            "unauthorised",
            "the hub answered 401 for URL/gpt2: ask there for access, "
            "then check HF_TOKEN or run: hf auth login",
        ),
    ],
)
def test_hub_says_no(cache, monkeypatch, tiny, fault, said):
    with serve({"gpt2": tiny}, fault) as hub:
        point_at(monkeypatch, hub.url)
        assert line("gpt2") == said.replace("URL", hub.url)


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("gtp2", " (did you mean gpt2?)"),
        ("Pocket", " (did you mean pocket?)"),
        ("ann/nothing", ""),
        ("no such model", ""),
        ("./runs/verse", ""),
    ],
)
def test_unknown_name(cache, monkeypatch, tiny, name, guess):
    with serve({"gpt2": tiny}) as hub:
        point_at(monkeypatch, hub.url)
        assert line(name) == (
            f"there is no folder and no model on the hub named '{name}'{guess}: "
            f"use {KNOWN}, a repository id or a folder"
        )


def test_offline_and_not_in_the_cache(cache, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert line("gpt2") == (
        f"'gpt2' is not on this computer, and the hub ({NOWHERE}) may not be asked "
        f"(HF_HUB_OFFLINE): {ADVICE}"
    )


def test_another_kind_of_model_is_seen_before_its_weights_are_fetched(
    cache, monkeypatch, folder
):
    edit_config(folder, model_type="llama")
    with serve({"ann/llama": folder}) as hub:
        point_at(monkeypatch, hub.url)
        assert line("ann/llama") == (
            "'ann/llama' is a model of type 'llama', and the course needs a 'gpt2': "
            f"use {KNOWN} or another GPT-2"
        )
        assert not any("safetensors" in request for request in hub.requests)


def test_a_repository_without_what_is_needed(cache, monkeypatch, folder):
    weights = folder / "model.safetensors"
    weights.rename(folder / "pytorch_model.bin")
    with serve({"ann/old": folder}) as hub:
        point_at(monkeypatch, hub.url)
        pickles = "; its pickles may run any program when opened, so they are refused"
        no = "'ann/old' has no {} on the hub{}: use " + KNOWN
        assert line("ann/old") == no.format("model.safetensors", pickles)
        (folder / "pytorch_model.bin").unlink()
        assert line("ann/old") == no.format("model.safetensors", "")
        (folder / "config.json").unlink()
        shutil.rmtree(cache, ignore_errors=True)
        assert line("ann/old") == no.format("config.json", "")


def test_damaged_on_the_way_is_refused_and_not_kept(cache, monkeypatch, tiny):
    with serve({"gpt2": tiny}, "damaged weights") as hub:
        point_at(monkeypatch, hub.url)
        assert line("gpt2") == (
            "model.safetensors of 'gpt2' came damaged (its sha256 is not the hub's) "
            "and was not kept: load it again, or use COURSE_MODEL=pocket"
        )
        assert not list(cache.rglob("model.safetensors"))
        hub.fault = None
        assert same_weights(load_model("gpt2")[0], load_model(tiny)[0])


# As a learner meets it: a fresh process, told where the hub is by the environment


def test_fresh_processes(tmp_path):
    with serve({"gpt2": POCKET}) as hub:
        settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path)}
        assert fresh("gpt2", **settings) == [{"name": "gpt2"}]
        hub.fault = "silent"
        cached, absent = fresh("gpt2", "gpt2-medium", **settings)
        assert cached == {"name": "gpt2"}
        assert absent["error"] == (
            f"'gpt2-medium' is not on this computer, and the hub ({hub.url}) "
            f"does not answer: {ADVICE}"
        )


SCRIPT = """
import json, sys
from helpers.models import ModelError, load_model
for name in sys.argv[1:]:
    try:
        print(json.dumps({"name": load_model(name)[0].name_or_path}))
    except ModelError as error:
        print(json.dumps({"error": str(error)}))
"""


def fresh(*names, **settings):
    """What a new process says that loads these models, one after the other."""
    ours = ("HF_", "TRANSFORMERS_")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names],
        env=inherited | {"NO_PROXY": "127.0.0.1"} | settings,
        cwd=POCKET.parent.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(answer) for answer in done.stdout.splitlines()]
