"""Loading: every way in, and every way it can fail, with the line the learner reads."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.file_download
import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.utils import enable_progress_bars
from IPython.core.interactiveshell import InteractiveShell
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2LMHeadModel

import helpers.models.hub
from helpers.logs import overhear
from helpers.models import ModelError, find_folder, load_model, sizes
from helpers.models.hub import POCKET
from tests.hub import COMMIT, serve
from tests.random_models import random_model

KNOWN = "use pocket, gpt2, gpt2-medium, gpt2-large, gpt2-xl"
NOWHERE = "http://127.0.0.1:9"  # nothing listens on the discard port
ADVICE = "go online once, or use COURSE_MODEL=pocket, or give a folder"
SAVE = "save the model and its tokenizer there again, with save_pretrained"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = "; its pickles may run any program when opened, so they are refused"


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
    random_model(vocab_size=len(vocab), **shape, **ends).save_pretrained(folder)
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


@contextlib.contextmanager
def hub_of(monkeypatch, folders, fault=None):
    with serve(folders, fault) as hub:
        point_at(monkeypatch, hub.url)
        yield hub


def line(name, **options):
    """The one line with which load_model refuses."""
    with pytest.raises(ModelError) as caught:
        load_model(name, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def same_weights(one, other):
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def config(**changes):
    def spoil(folder):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return spoil


def weights(change):
    def spoil(folder):
        old = load_file(folder / WEIGHTS)
        new = change(old)
        new = new if isinstance(new, dict) else old  # changed in place
        save_file(new, folder / WEIGHTS, {"format": "pt"})

    return spoil


# What is loaded


def test_folder_gives_an_evaluating_float32_model_with_a_pad_token(tiny, capfd):
    model, tokenizer = load_model(str(tiny), device="cpu")
    assert not model.training and model.dtype == torch.float32
    assert tokenizer.pad_token == tokenizer.eos_token == "<|endoftext|>"
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id == 256
    assert tokenizer.padding_side == "right"
    assert tokenizer.decode(tokenizer("a kite").input_ids) == "a kite"
    assert model.device == torch.device("cpu")
    assert model.name_or_path == tokenizer.name_or_path == str(tiny)
    assert capfd.readouterr() == ("", "")


def test_bfloat16_on_disk_is_float32_in_memory(folder):
    weights(lambda old: {name: w.bfloat16() for name, w in old.items()})(folder)
    model, _ = load_model(folder)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_files_as_the_hub_has_them_load_the_same(tiny, folder):
    """There: no prefix, no head, and constants that older versions saved."""
    old = load_file(folder / WEIGHTS)
    there = {k.removeprefix("transformer."): v for k, v in old.items()}
    assert "wte.weight" in there and "lm_head.weight" not in there
    for layer in range(2):
        there[f"h.{layer}.attn.bias"] = torch.ones(1, 1, 32, 32).tril()
        there[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    save_file(there, folder / WEIGHTS, {"format": "pt"})
    assert same_weights(load_model(folder)[0], load_model(tiny)[0])


def test_a_pad_token_of_its_own_is_kept(folder):
    tokens = {"pad_token": "!", "eos_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokens))
    model, tokenizer = load_model(folder)
    assert tokenizer.pad_token == "!"
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id != 256


def test_name_comes_from_the_environment_else_pocket(tiny, monkeypatch):
    monkeypatch.setenv("COURSE_MODEL", str(tiny))
    assert load_model()[0].config.n_embd == 16
    monkeypatch.delenv("COURSE_MODEL")
    model, tokenizer = load_model(device="cpu")
    assert model.name_or_path == "pocket" and model.num_parameters() <= 8_000_000
    assert len(tokenizer) == model.config.vocab_size


def test_a_relative_folder_is_looked_for_in_the_course_s_own_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_folder("data/pocket-gpt2") == POCKET


def test_a_device_that_is_not_there_is_refused(tiny):
    end = "cannot be used here: leave it out, or use 'cpu'"
    assert line(tiny, device="gpu") == f"device 'gpu' {end}"


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


# Folders that cannot be used: what spoils them, the file to blame, the reason


def write(file, content):
    return lambda folder: (folder / file).write_bytes(content)


def cut(file, end):
    return lambda f: (f / file).write_bytes((f / file).read_bytes()[:end])


def index(weight_map):
    def spoil(folder):
        (folder / WEIGHTS).unlink()
        content = {"metadata": {}, "weight_map": weight_map}
        (folder / INDEX).write_text(json.dumps(content))

    return spoil


def add_token(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens(["kite"])
    tokenizer.save(str(folder / "tokenizer.json"))


HEADER = "Error while deserializing header"
FINITE = "some weights are not finite numbers"
BESIDE = "weight_map names no files beside it"
FIRST = "transformer.h.1.attn.c_attn"
LAST = "transformer.wpe.weight"
SPOILT = {
    WEIGHTS: [
        (cut(WEIGHTS, -100), HEADER),
        (write(WEIGHTS, b"<html>Welcome!</html>"), HEADER),
        (weights(lambda w: w.pop(f"{FIRST}.bias")), "1 weights missing, "),
        (weights(lambda w: w | {"x.y": torch.ones(2)}), "1 weights unexpected, fi"),
        (weights(lambda w: w[LAST][-1].fill_(torch.nan)), FINITE),
        (weights(lambda w: {n: x.char() for n, x in w.items()}), "weights are I8, ex"),
        (config(n_positions=64), f"1 weights misshapen, first {LAST}"),
        (config(n_layer=3), "12 weights missing, first transformer.h.2.attn.c_attn."),
        (config(n_layer=10**7), "11,216 numbers, far too few for config.json"),
        (config(n_layer=1), f"11 weights unexpected, first {FIRST}.weight"),
    ],
    "config.json": [
        (config(n_embd="wide"), "Validation"),
        (write("config.json", b"[" * 10**5), "no model_type, maximum recursion"),
        (cut("config.json", 99), "no model_type, "),
    ],
    INDEX: [(index({"a": "../" + WEIGHTS}), BESIDE), (index({}), BESIDE)],
    "tokenizer.json": [
        (write("tokenizer_config.json", b'{"eos_token": null}'), "it has no"),
        (cut("tokenizer.json", 99), ""),
        (add_token, "258 tokens, the model knows 257"),
    ],
}


@pytest.mark.parametrize(
    ("file", "spoil", "reason"),
    [(file, *one) for file in SPOILT for one in SPOILT[file]],
)
def test_a_file_that_does_not_serve_is_named(folder, file, spoil, reason):
    spoil(folder)
    said, warned = overhear(lambda: line(folder))
    assert said.startswith(f"{folder / file} cannot be used ({reason}")
    assert said.endswith(f"): {SAVE}")
    assert not warned  # the line says it all


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", WEIGHTS])
def test_a_folder_without_a_file_it_needs(folder, file):
    (folder / file).unlink()
    assert line(folder) == f"{folder} has no {file}: {SAVE}"


@pytest.mark.parametrize("shards", [{"a": "1-of-2", "b": "2-of-2"}, {"a": 2}])
def test_a_folder_that_lacks_a_shard(folder, shards):
    (folder / WEIGHTS).rename(folder / "1-of-2")
    (folder / INDEX).write_text(json.dumps({"weight_map": shards}))
    assert line(folder) == f"{folder} has no {[*shards.values()][-1]}: {SAVE}"


def test_pickled_weights_are_refused(folder):
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")
    assert line(folder) == f"{folder} has no {WEIGHTS}{PICKLES}: {SAVE}"


def test_another_kind_of_model(folder):
    config(model_type="llama")(folder)
    end = f"and the course needs a 'gpt2': {KNOWN} or another GPT-2"
    assert line(folder) == f"'{folder}' is a model of type 'llama', {end}"


def test_a_damaged_pocket_model_can_be_restored(folder, monkeypatch):
    monkeypatch.setattr(helpers.models.hub, "POCKET", folder)
    (folder / "config.json").unlink()
    mend = "bring it back with: git restore data/pocket-gpt2"
    assert line("pocket") == f"{folder} has no config.json: {mend}"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("~nouser/x", "Could not determine home directory"),
        ("x/" + "y" * 5000, "[Errno 36] File name too long"),
    ],
)
def test_a_folder_that_cannot_be_looked_at(name, reason):
    said = line(name)
    assert said.startswith(f"'{name[:40]}") and len(said) < 400
    assert f" cannot be read or stored ({reason}" in said


def test_weights_that_may_not_be_read_are_not_called_missing(folder, monkeypatch):
    def refuse(path, *_, **__):
        if path.name == WEIGHTS:
            raise PermissionError(13, "Permission denied")
        return opened(path, *_, **__)

    opened = Path.open
    monkeypatch.setattr(Path, "open", refuse)
    where = f"{folder / WEIGHTS} cannot be used"
    assert line(folder) == f"{where} ([Errno 13] Permission denied): {SAVE}"


def test_a_notebook_shows_one_line():
    shell = InteractiveShell.instance()
    shell.run_cell("from helpers.models import load_model")
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        shell.run_cell("load_model('/no/such/folder')")
    unknown = "there is no folder and no model on the hub named '/no/such/folder'"
    end = "a repository id or a folder"
    assert shown.getvalue() == f"ModelError: {unknown}: {KNOWN}, {end}\n"


# The hub


def test_from_the_hub_once_then_from_the_cache(cache, monkeypatch, capfd):
    monkeypatch.setenv("TQDM_POSITION", "-1")  # the library's way to force bars
    enable_progress_bars()  # commands that other tests run in this process end them
    with hub_of(monkeypatch, {"gpt2": POCKET}) as hub:
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


def test_weights_in_several_files_of_somebody_s(cache, monkeypatch, tiny, folder):
    (folder / WEIGHTS).unlink()
    GPT2LMHeadModel.from_pretrained(tiny).save_pretrained(folder, max_shard_size="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    with hub_of(monkeypatch, {"ann/large": folder}):
        assert same_weights(load_model("ann/large")[0], load_model(tiny)[0])


def test_a_cache_that_cannot_be_written(cache, monkeypatch, tiny):
    cache.write_text("in the way")
    with hub_of(monkeypatch, {"gpt2": tiny}):
        said = line("gpt2")
    assert said.startswith("'gpt2' cannot be read or stored ([Errno 20] Not a dir")
    assert said.endswith(
        "): give another folder, or make room, or set HF_HOME elsewhere"
    )


def test_what_the_cache_lacks_is_fetched_and_what_is_damaged_told(
    cache, monkeypatch, tiny
):
    with hub_of(monkeypatch, {"gpt2": tiny}) as hub:
        load_model("gpt2")
        snapshot = cache / "models--gpt2" / "snapshots" / COMMIT
        (snapshot / "tokenizer.json").unlink()
        point_at(monkeypatch, NOWHERE)
        assert line("gpt2") == absent(NOWHERE, "cannot be reached")
        point_at(monkeypatch, hub.url)
        assert load_model("gpt2")[0].config.n_embd == 16
        (snapshot / WEIGHTS).resolve().write_bytes(b"cut off")
        model_cache = cache / "models--gpt2"
        assert line("gpt2").endswith(f"): delete {model_cache} and load 'gpt2' again")
        shutil.rmtree(model_cache)
        assert same_weights(load_model("gpt2")[0], load_model(tiny)[0])


def absent(url, fault):
    return f"'gpt2' is not on this computer, and the hub ({url}) {fault}: {ADVICE}"


def test_hub_refuses_or_may_not_be_asked(cache, monkeypatch):
    assert line("gpt2") == absent(NOWHERE, "cannot be reached")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert line("gpt2") == absent(NOWHERE, "may not be asked (HF_HUB_OFFLINE)")


@pytest.mark.parametrize("fault", ["silent", "silent files"])
def test_hub_hangs(cache, monkeypatch, tiny, fault):
    monkeypatch.setattr(helpers.models.hub, "PROBE_SECONDS", 1)
    monkeypatch.setattr(helpers.models.hub, "ANSWER_SECONDS", 1)
    with hub_of(monkeypatch, {"gpt2": tiny}, fault) as hub:
        assert line("gpt2") == absent(hub.url, "does not answer")


def test_hub_stops_in_the_middle(cache, monkeypatch, tiny):
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    real = {name: getattr(time, name) for name in ("monotonic", "perf_counter", "time")}
    no_sleep = SimpleNamespace(**real, sleep=lambda seconds: None)  # between tries
    monkeypatch.setattr(huggingface_hub.file_download, "time", no_sleep)
    with hub_of(monkeypatch, {"gpt2": tiny}, "half files") as hub:
        assert line("gpt2") == absent(hub.url, "does not answer")
        hub.fault = None
        assert load_model("gpt2")[0].config.n_embd == 16


def test_damaged_on_the_way_is_refused_and_not_kept(cache, monkeypatch, tiny):
    with hub_of(monkeypatch, {"gpt2": tiny}, "damaged weights") as hub:
        assert line("gpt2") == (
            "model.safetensors of 'gpt2' came damaged (its sha256 is not the hub's) "
            "and was not kept: load it again, or use COURSE_MODEL=pocket"
        )
        assert not list(cache.rglob(WEIGHTS))
        hub.fault = None
        assert same_weights(load_model("gpt2")[0], load_model(tiny)[0])


LOG_IN = "ask there for access, then check HF_TOKEN or run: hf auth login"
SAYS_NO = {
    "portal": absent("URL", "cannot be reached"),
    "broken": "the hub answered 503 for URL/gpt2: try again later, or use C",
    "gated": f"the hub answered 403 for URL/gpt2: {LOG_IN}",
    "unauthorised": f"the hub answered 401 for URL/gpt2: {LOG_IN}",
}


@pytest.mark.parametrize("fault", SAYS_NO)
def test_hub_says_no(cache, monkeypatch, tiny, fault):
    with hub_of(monkeypatch, {"gpt2": tiny}, fault) as hub:
        assert line("gpt2").startswith(SAYS_NO[fault].replace("URL", hub.url))


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
    with hub_of(monkeypatch, {"gpt2": tiny}):
        assert line(name) == (
            f"there is no folder and no model on the hub named '{name}'{guess}: "
            f"{KNOWN}, a repository id or a folder"
        )


def test_what_is_no_gpt2_is_seen_before_weights_are_fetched(cache, monkeypatch, folder):
    config(model_type="llama")(folder)
    no = "'ann/old' has no {} on the hub{}: " + KNOWN
    with hub_of(monkeypatch, {"ann/old": folder}) as hub:
        assert line("ann/old").startswith("'ann/old' is a model of type 'llama', and")
        assert not any("safetensors" in request for request in hub.requests)
        config(model_type="gpt2")(folder)
        shutil.rmtree(cache)
        (folder / WEIGHTS).rename(folder / "pytorch_model.bin")
        assert line("ann/old") == no.format(WEIGHTS, PICKLES)
        (folder / "pytorch_model.bin").unlink()
        assert line("ann/old") == no.format(WEIGHTS, "")
        (folder / "config.json").unlink()
        shutil.rmtree(cache, ignore_errors=True)
        assert line("ann/old") == no.format("config.json", "")


# As a learner meets it: a fresh process, told where the hub is by the environment

SCRIPT = """
import sys
from helpers.models import ModelError, load_model
for name in sys.argv[1:]:
    try:
        print(load_model(name)[0].name_or_path)
    except ModelError as error:
        print(error)
"""


def test_fresh_process(tmp_path):
    ours = ("HF_", "TRANSFORMERS_")
    settings = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    command = [sys.executable, "-c", SCRIPT, "gpt2", "no/model"]
    with serve({"gpt2": POCKET}) as hub:
        settings |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path)}
        settings |= {
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": str(helpers.models.hub.ROOT),
        }
        done = subprocess.run(command, capture_output=True, text=True, env=settings)
    loaded, refused = done.stdout.splitlines()
    assert loaded == "gpt2"
    assert refused.startswith("there is no folder and no model on the hub named 'no/mo")
