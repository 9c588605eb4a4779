"""The files of a model: in a folder, in the cache, or fetched from the hub.

The cache comes first, without asking anybody; only then the hub gets three seconds to
show that it is there. Every failure is a ModelError of one line.
"""

import difflib
import hashlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import huggingface_hub as library
from huggingface_hub import constants, errors

from helpers.options import UsageError

ROOT = Path(__file__).resolve().parent.parent.parent
POCKET = ROOT / "data" / "pocket-gpt2"
HUB_NAMES = ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")
CONFIG, TOKENIZER = "config.json", "tokenizer.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PROBE_SECONDS = 3  # for the hub to show that it is there
ANSWER_SECONDS = 5  # for the hub to say how large a file is
OTHER = f"use pocket, {', '.join(HUB_NAMES)}"
PICKLES = "; its pickles may run any program when opened, so they are refused"


class ModelError(UsageError, ValueError):
    """A model that cannot be loaded; the message is one line that says what to do."""

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows: the line alone."""
        return [f"ModelError: {self}"]


def find_folder(name: str) -> Path:
    """The folder with the files of model `name`, fetched from the hub if need be.

    Looks in this order: the names the course knows, a folder (from here, else from
    the course's own), the cache, the hub. Raises ModelError if that gives no GPT-2.
    """
    try:
        return _local(name) or _cached(name) or _fetch(name)
    except ModelError:
        raise
    except Exception as error:  # whatever the disk, the network and the library raise
        raise ModelError(_explain(name, error)) from None


def unusable(name: str, folder: Path, file: str, reason: object) -> ModelError:
    """The error for a file that is there and does not serve; it says what mends it."""
    where = f"{folder / file} cannot be used ({' '.join(str(reason).split()):.120})"
    return ModelError(f"{where}: {_mend(name, folder)}")


def weight_files(name: str, folder: Path) -> list[str]:
    """The names of the files with the weights: one, or those of the index."""
    if (folder / WEIGHTS).is_file() or not (folder / INDEX).is_file():
        return [WEIGHTS]
    shards = _field(name, folder, INDEX, "weight_map")
    files = {str(file) for file in shards.values()} if isinstance(shards, dict) else {}
    if not files or any(Path(file).name != file for file in files):
        raise unusable(name, folder, INDEX, "weight_map names no files beside it")
    return sorted(files)


def _field(name: str, folder: Path, file: str, key: str):
    try:
        return json.loads((folder / file).read_text("utf-8"))[key]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise unusable(name, folder, file, f"no {key}, {error}") from None


def _mend(name: str, folder: Path) -> str:
    if name == "pocket":
        return "bring it back with: git restore data/pocket-gpt2"
    if folder.parent.name == "snapshots":
        return f"delete {folder.parent.parent} and load {name!r} again"
    return "save the model and its tokenizer there again, with save_pretrained"


def _missing(name: str, folder: Path) -> str | None:
    """Name of the first file that a GPT-2 needs and the folder lacks."""
    if not (folder / CONFIG).is_file():
        return CONFIG
    if (kind := _field(name, folder, CONFIG, "model_type")) != "gpt2":
        end = f"and the course needs a 'gpt2': {OTHER} or another GPT-2"
        raise ModelError(f"{name!r} is a model of type {kind!r}, {end}")
    pair = all((folder / file).is_file() for file in ("vocab.json", "merges.txt"))
    needed = weight_files(name, folder) + ([] if pair else [TOKENIZER])
    return next((file for file in needed if not (folder / file).is_file()), None)


def _local(name: str) -> Path | None:
    path = POCKET if name == "pocket" else Path(name).expanduser()
    places = () if name in HUB_NAMES else (path, ROOT / path)
    folder = next(filter(Path.is_dir, places), None)
    if folder and (missing := _missing(name, folder)):
        note = PICKLES if missing == WEIGHTS and [*folder.glob("*.bin")] else ""
        raise ModelError(f"{folder} has no {missing}{note}: {_mend(name, folder)}")
    return folder


def _cached(name: str) -> Path | None:
    config = library.try_to_load_from_cache(name, CONFIG)
    folder = Path(config).parent if isinstance(config, str) else None
    return folder if folder and not _missing(name, folder) else None


def ask_hub(name: str, kind: str = "model"):
    """Return what the hub knows of a model or a data set; it has three seconds."""
    api = library.HfApi(endpoint=constants.ENDPOINT)
    return _within(PROBE_SECONDS, getattr(api, f"{kind}_info"), name)


def _fetch(name: str) -> Path:
    """Fetch what a GPT-2 needs; the small files last, for they say that all is well."""
    info = ask_hub(name)
    files = {sibling.rfilename for sibling in info.siblings or []}
    missing = WEIGHTS if CONFIG in files else CONFIG
    if CONFIG not in files or not files & {WEIGHTS, INDEX}:
        note = PICKLES if "pytorch_model.bin" in files else ""
        raise ModelError(f"{name!r} has no {missing} on the hub{note}: {OTHER}")
    folder = _download(name, CONFIG).parent
    _missing(name, folder)  # refuses another kind of model
    if WEIGHTS not in files:
        _download(name, INDEX)
    small = [f for f in files if f.endswith((".json", ".txt")) and "/" not in f]
    for file in [*weight_files(name, folder), *small]:
        _download(name, file)
    return folder


def _download(name: str, file: str) -> Path:
    """Path of one file in the cache; the library shows a bar while it comes."""
    # Asked first, as the library would wait minutes for a hub that went silent; of a
    # large file the answer has the sha256, which the library never compares.
    url = library.hf_hub_url(name, file, endpoint=constants.ENDPOINT)
    etag = _within(ANSWER_SECONDS, library.get_hf_file_metadata, url).etag or ""
    path = Path(library.hf_hub_download(name, file, endpoint=constants.ENDPOINT))
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    if len(etag) == 64 and sha256 != etag:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        line = f"{file} of {name!r} came damaged (its sha256 is not the hub's) and was"
        raise ModelError(f"{line} not kept: load it again, or use COURSE_MODEL=pocket")
    return path


def _within(seconds: float, call: Callable, argument: str):
    """call(argument), or TimeoutError: a thread, as host names have no time limit."""
    outcome = Future()

    def work() -> None:
        try:
            outcome.set_result(call(argument, timeout=seconds))
        except Exception as error:
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return outcome.result(seconds)


def _explain(name: str, error: Exception) -> str:
    """One line for what the hub, the network or the disk did."""
    known = () if name in HUB_NAMES else ("pocket", *HUB_NAMES)
    close = " or ".join(difflib.get_close_matches(name.lower(), known, n=2))
    shown = f"{name!r:.80}" + (f" (did you mean {close}?)" if close else "")
    status = getattr(getattr(error, "response", None), "status_code", None)
    gated = isinstance(error, errors.GatedRepoError)
    unknown = (errors.RepositoryNotFoundError, errors.HFValidationError)
    if isinstance(error, unknown) and not gated:
        line = f"there is no folder and no model on the hub named {shown}"
        return f"{line}: {OTHER}, a repository id or a folder"
    if status:
        todo = "try again later, or use COURSE_MODEL=pocket"
        if status in (401, 403):
            todo = "ask there for access, then check HF_TOKEN or run: hf auth login"
        return f"the hub answered {status} for {constants.ENDPOINT}/{name}: {todo}"
    if isinstance(error, RuntimeError) or getattr(error, "errno", None):
        todo = "give another folder, or make room, or set HF_HOME elsewhere"
        return f"{shown} cannot be read or stored ({error!s:.160}): {todo}"
    kind = type(error).__name__.lower()
    fault = "does not answer" if "timeout" in kind else "cannot be reached"
    fault = "may not be asked (HF_HUB_OFFLINE)" if "offline" in kind else fault
    hub = f"the hub ({constants.ENDPOINT}) {fault}"
    todo = "go online once, or use COURSE_MODEL=pocket, or give a folder"
    return f"{shown} is not on this computer, and {hub}: {todo}"
