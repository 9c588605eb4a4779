"""The files of a model: in a folder, in the cache, or fetched from the hub.

The cache comes first and is used without asking anybody; only then the hub gets three
seconds to show that it is there. Every failure is a ModelError of one line.
"""

import difflib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from huggingface_hub import (
    HfApi,
    constants,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import validate_repo_id

POCKET = Path(__file__).resolve().parent.parent.parent / "data" / "pocket-gpt2"
HUB_NAMES = ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")
CONFIG, TOKENIZER = "config.json", "tokenizer.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
SMALL = (TOKENIZER, "tokenizer_config.json", "vocab.json", "merges.txt")
SMALL += ("generation_config.json", "special_tokens_map.json", "added_tokens.json")
PROBE_SECONDS = 3  # for the hub to show that it is there
ANSWER_SECONDS = 5  # for the hub to say how large a file is
T = TypeVar("T")


class ModelError(ValueError):
    """A model that cannot be loaded; the message is one line that says what to do."""


def find_folder(name: str) -> Path:
    """The folder with the files of model `name`, fetched from the hub if need be.

    Looks in this order: the names the course knows, a folder, the cache, the hub.
    Raises ModelError if that gives no whole GPT-2 in safetensors.
    """
    folder = POCKET if name == "pocket" else Path(name).expanduser()
    if name in HUB_NAMES or not (name == "pocket" or folder.is_dir()):
        return _cached_or_fetched(name)
    return _checked(folder, name)


def unusable(name: str, folder: Path, file: str, reason: object) -> ModelError:
    """The error for a file that is there and does not serve; it says what mends it."""
    reason = " ".join(str(reason).split())[:120]
    where = f"{folder / file} cannot be used ({reason})"
    return ModelError(f"{where}: {_mend(name, folder)}")


def _mend(name: str, folder: Path) -> str:
    if name == "pocket":
        return "bring it back with: git restore data/pocket-gpt2"
    if folder.parent.name == "snapshots":
        return f"delete {folder.parent.parent} and load {name!r} again"
    return "save the model and its tokenizer there again, with save_pretrained"


def _checked(folder: Path, name: str) -> Path:
    if (folder / CONFIG).is_file():
        _check_kind(folder, name)
    if missing := _missing(folder):
        if WEIGHTS in missing:
            _refuse_pickles([path.name for path in folder.glob("*.bin")], name)
        raise ModelError(f"{folder} has no {missing}: {_mend(name, folder)}")
    return folder


def _check_kind(folder: Path, name: str) -> None:
    try:
        kind = json.loads((folder / CONFIG).read_text("utf-8"))["model_type"]
    except (ValueError, KeyError, TypeError) as error:
        reason = f"no model_type, {error}"
        raise unusable(name, folder, CONFIG, reason) from error
    if kind != "gpt2":
        raise ModelError(
            f"{name!r} is a model of type {kind!r}, and the course needs a 'gpt2': "
            f"use pocket, {', '.join(HUB_NAMES)} or another GPT-2"
        )


def _missing(folder: Path) -> str | None:
    """Name of the first file that a GPT-2 needs and the folder lacks."""
    if not (folder / CONFIG).is_file():
        return CONFIG
    if not (folder / TOKENIZER).is_file():
        pair = (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()
        if not pair:
            return TOKENIZER
    weights = [WEIGHTS]
    if not (folder / WEIGHTS).is_file() and (folder / INDEX).is_file():
        weights = _shards(folder / INDEX)
    return next((file for file in weights if not (folder / file).is_file()), None)


def _shards(index: Path) -> list[str]:
    try:
        return sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise unusable(index.parent.name, index.parent, INDEX, error) from error


def _refuse_pickles(files: list[str], name: str) -> None:
    if pickles := sorted(file for file in files if file.endswith(".bin")):
        raise ModelError(
            f"{name!r} has its weights only as a pickle ({pickles[0]}), which may run "
            "any program when opened, so it is refused: use a model with "
            f"{WEIGHTS}, or convert this one where you trust it, with save_pretrained"
        )


def _cached_or_fetched(name: str) -> Path:
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise _unknown(name) from error
    if (folder := _cached(name)) and not _missing(folder):
        return _checked(folder, name)
    if constants.is_offline_mode():
        raise ModelError(
            f"{_absent(name)}, and HF_HUB_OFFLINE forbids to fetch it: "
            "unset HF_HUB_OFFLINE once, or use COURSE_MODEL=pocket"
        )
    try:
        return _fetch(name)
    except ModelError:
        raise
    except Exception as error:  # whatever the network and the library can raise
        raise _explain(name, error) from error


def _cached(name: str) -> Path | None:
    path = try_to_load_from_cache(name, CONFIG)
    return Path(path).parent if isinstance(path, str) else None


def _fetch(name: str) -> Path:
    api = HfApi(endpoint=constants.ENDPOINT)
    info = _within(PROBE_SECONDS, lambda: api.model_info(name, timeout=PROBE_SECONDS))
    files = [sibling.rfilename for sibling in info.siblings or []]
    if CONFIG not in files:
        raise ModelError(f"{name!r} has no {CONFIG} on the hub, so it is no GPT-2")
    folder = _download(name, CONFIG).parent
    _check_kind(folder, name)
    if WEIGHTS not in files and INDEX not in files:
        _refuse_pickles(files, name)
        raise ModelError(f"{name!r} has no {WEIGHTS} on the hub: use another GPT-2")
    for file in filter(files.__contains__, SMALL):
        _download(name, file)
    weights = [WEIGHTS] if WEIGHTS in files else _shards(_download(name, INDEX))
    for file in weights:
        _download(name, file)
    return _checked(folder, name)


def _download(name: str, file: str) -> Path:
    """Path of one file in the cache; the library shows a bar while it comes.

    The hub is asked first whether it has the file, because the library would wait some
    minutes for one that went silent. A download that stops half-way the library takes
    up again, five times, for about a minute in all.
    """
    url = hf_hub_url(name, file, endpoint=constants.ENDPOINT)
    _within(ANSWER_SECONDS, lambda: get_hf_file_metadata(url, timeout=ANSWER_SECONDS))
    return Path(hf_hub_download(name, file, endpoint=constants.ENDPOINT))


def _within(seconds: float, call: Callable[[], T]) -> T:
    """Result of `call`, or TimeoutError.

    In a thread of its own, because the look-up of a host name has no time limit.
    """
    outcome = {}

    def work() -> None:
        try:
            outcome["value"] = call()
        except Exception as error:
            outcome["error"] = error

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if "error" in outcome:
        raise outcome["error"]
    if "value" not in outcome:
        raise TimeoutError(f"no answer in {seconds} s")
    return outcome["value"]


def _explain(name: str, error: Exception) -> ModelError:
    """One line for what the hub, the network or the disk did."""
    if isinstance(error, GatedRepoError):
        page = f"{constants.ENDPOINT}/{name}"
        return ModelError(
            f"{name!r} is gated: ask for access on {page}, then run: hf auth login"
        )
    if isinstance(error, RepositoryNotFoundError):
        return _unknown(name)
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        status = error.response.status_code
        todo = "try again later, or use COURSE_MODEL=pocket"
        if status in (401, 403):
            todo = "check the token in HF_TOKEN, or run: hf auth login"
        return ModelError(f"the hub answered {status} for {name!r}: {todo}")
    if isinstance(error, OSError) and error.errno:
        where = f"{constants.HF_HUB_CACHE} ({error.strerror})"
        todo = "make room there, or set HF_HOME to another folder"
        return ModelError(f"{name!r} cannot be stored in {where}: {todo}")
    late = "timeout" in type(error).__name__.lower()
    fault = "does not answer" if late else "cannot be reached"
    return ModelError(
        f"{_absent(name)}, and the hub ({constants.ENDPOINT}) {fault}: go online once, "
        "or use COURSE_MODEL=pocket, or give a folder"
    )


def _absent(name: str) -> str:
    folder = _cached(name)
    if folder and (missing := _missing(folder)):
        return f"{name!r} is only partly on this computer (no {missing})"
    return f"{name!r} is not on this computer{_guess(name)}"


def _guess(name: str) -> str:
    close = difflib.get_close_matches(name.lower(), ("pocket", *HUB_NAMES), n=2)
    hint = f" (did you mean {' or '.join(close)}?)"
    return hint if close and name not in HUB_NAMES else ""


def _unknown(name: str) -> ModelError:
    return ModelError(
        f"there is no folder and no model on the hub named {name!r}{_guess(name)}: "
        f"use pocket, {', '.join(HUB_NAMES)}, a repository id or a folder"
    )
