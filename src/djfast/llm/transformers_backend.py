"""Language models inside the process, run by the package transformers on CPU or GPU.

A model comes from a folder or from an installed cache. It is downloaded only where ``DJFAST_ALLOW_DOWNLOAD=1`` says so, its own
code is never run, and weights are read from safetensors files only: the older form is a pickle, which is code.
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from djfast.errors import MissingExtraError, ModelError, Preempted, RecipeError
from djfast.llm.asking import Answer, Ask, Done, Failure, LanguageModel, Question, Reply, Tokens
from djfast.llm.cache import AnswerCache, default_cache
from djfast.llm.completions import CUT_WITHIN_THOUGHTS
from djfast.llm.interrupts import is_interrupted
from djfast.llm.thoughts import spoken
from djfast.models.checkpoints import checkpoint_source, may_download
from djfast.records import NamedTuple

_DEFAULT_NEW_TOKENS = 512


class Sampling(NamedTuple):
    """How an answer is chosen. Temperature 0, the default, takes the likeliest token every time."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Sampling:
        """Return what parameters in the words of servers or of transformers mean.

        Raises
        ------
        RecipeError
            If one is unknown or out of its range.
        """
        given = {("max_tokens" if name == "max_new_tokens" else name): value for name, value in parameters.items()}
        if given.pop("do_sample", True) is False:
            given["temperature"] = 0.0
        unknown = sorted(set(given) - set(cls._fields))
        if unknown:
            allowed = ", ".join((*cls._fields, "max_new_tokens", "do_sample"))
            raise RecipeError(f"sampling parameters of a model inside the process may be {allowed}, got {', '.join(unknown)}")
        stop = given.pop("stop", ())
        sampling = cls(**given, stop=(stop,) if isinstance(stop, str) else tuple(stop or ()))
        checks = {
            "temperature": (_is_number(sampling.temperature) and 0 <= sampling.temperature <= 100, "a number from 0 to 100"),
            "top_p": (_is_number(sampling.top_p) and 0 < sampling.top_p <= 1, "a number above 0, at most 1"),
            "top_k": (type(sampling.top_k) is int and sampling.top_k >= 0, "an integer >= 0"),
            "seed": (type(sampling.seed) is int, "an integer"),
            "max_tokens": (
                sampling.max_tokens is None or (type(sampling.max_tokens) is int and sampling.max_tokens > 0),
                "an integer > 0",
            ),
            "stop": (all(isinstance(text, str) and text for text in sampling.stop), "texts"),
        }
        for name, (is_right, allowed) in checks.items():
            if not is_right:
                raise RecipeError(f"sampling parameter {name} must be {allowed}, got {getattr(sampling, name)!r}")
        return sampling


class TransformersModel(LanguageModel):
    """A model of the package transformers.

    Answers do not depend on what else is in a batch, as far as the hardware's rounding goes: draws are seeded by the ask, not by
    its place. ``batch_size=1`` removes rounding, too.

    Parameters
    ----------
    model : str
        A folder, or ``organisation/model`` in a folder of models or in the Hugging Face cache.
    op : str
        The OP that asks, for errors.
    device : str, optional
        ``cpu``, ``cuda`` or ``cuda:1``; by default a GPU if there is one.
    sampling : mapping, optional
        See `Sampling`.
    batch_size : int
        Asks that are answered together.
    cache : AnswerCache or None, optional
        By default the one that the environment names; None for none.

    Raises
    ------
    MissingExtraError
        If transformers or torch is missing.
    ModelError
        If the model is not on this machine or cannot be read.
    """

    def __init__(
        self,
        model: str,
        *,
        op: str,
        device: str | None = None,
        sampling: Mapping[str, Any] | None = None,
        batch_size: int = 8,
        cache: AnswerCache | Literal["default"] | None = "default",
        prompt_version: str = "",
    ) -> None:
        super().__init__(cache=default_cache() if cache == "default" else cache, price=None, prompt_version=prompt_version)
        if type(batch_size) is not int or batch_size < 1:
            raise RecipeError(f"{op}: batch_size must be an integer > 0, got {batch_size!r}")
        self.sampling = Sampling.of(sampling or {})
        self._batch_size = batch_size
        _require_transformers(op)
        self._loaded = _load(checkpoint_source(model, op=op), device or "auto")

    def _origin(self) -> str:
        return f"transformers:{self._loaded.fingerprint}"

    def _content(self, ask: Ask) -> Any:
        return [ask.messages(), self.sampling]

    def _send(self, questions: Sequence[Question], done: Done) -> Callable[[], None]:
        """Answer at once, in the calling thread. Prompts of about the same length go together, so that little is padding."""
        prompts: dict[int, list[int]] = {}
        room = self._loaded.context - self._new_tokens
        for index, question in enumerate(questions):
            try:
                tokens = self._loaded.tokens(question.ask)
            except Exception as error:  # a model's template is a program, and may refuse in any way
                done(index, Failure(f"the model's chat template refuses the messages: {type(error).__name__}: {error}"))
                continue
            if 0 < len(tokens) <= room:
                prompts[index] = tokens
            else:
                allowed = f"1 to {room} tokens beside the {self._new_tokens} for the answer"
                done(index, Failure(f"the prompt must have {allowed}, got {len(tokens)}"))
        order = sorted(prompts, key=lambda index: (-len(prompts[index]), index))
        for first in range(0, len(order), self._batch_size):
            chosen = order[first : first + self._batch_size]
            replies = self._replies([questions[index] for index in chosen], [prompts[index] for index in chosen])
            for index, reply in zip(chosen, replies):
                done(index, reply)
        return lambda: None

    @property
    def _new_tokens(self) -> int:
        return self.sampling.max_tokens or self._loaded.new_tokens or _DEFAULT_NEW_TOKENS

    def _replies(self, questions: Sequence[Question], prompts: Sequence[Sequence[int]]) -> list[Reply]:
        """Answer one batch. If it does not fit into memory, its questions are answered one by one, so that the others live."""
        seeds = [_seed(question) for question in questions]
        try:
            if is_interrupted():
                raise Preempted()
            answers = self._loaded.generate(prompts, seeds, self.sampling, self._new_tokens)
            if is_interrupted():
                raise Preempted()
        except Preempted:
            return [Failure("the run was stopped", is_interrupted=True)] * len(questions)
        except RuntimeError as error:
            if len(questions) > 1:
                return [self._replies([question], [prompt])[0] for question, prompt in zip(questions, prompts)]
            return [Failure(f"the model failed: {error}")]
        return [self._answer(prompt, produced) for prompt, produced in zip(prompts, answers)]

    def _answer(self, prompt: Sequence[int], produced: list[int]) -> Answer:
        text = str(self._loaded.tokenizer.decode(produced, skip_special_tokens=True))
        for stop in self.sampling.stop:
            text = text.partition(stop)[0]
        said = spoken(text)
        flaw = CUT_WITHIN_THOUGHTS if said.is_thinking else ""
        return Answer(said.text.strip(), Tokens(len(prompt), len(produced)), flaw=flaw)


class _Loaded:
    """A model in memory, used by one thread at a time."""

    def __init__(self, folder: str, device: str) -> None:
        import torch
        import transformers

        options = {"local_files_only": not may_download(), "trust_remote_code": False}
        try:
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
            self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, dtype="auto", **options)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(f"the language model {folder} cannot be read: {error}") from error
        on = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        try:
            self.model.to(torch.device(on)).eval()
        except (RuntimeError, AssertionError) as error:
            raise ModelError(f"the language model {folder} cannot be moved to the device {on}: {error}") from error
        self.fingerprint = _fingerprint(folder)
        self.lock = threading.Lock()
        configuration = self.model.config
        self.context = int(getattr(configuration, "max_position_embeddings", None) or 1 << 20)
        generation = self.model.generation_config
        self.new_tokens = generation.max_new_tokens
        ends = generation.eos_token_id if generation.eos_token_id is not None else self.tokenizer.eos_token_id
        self.ends = [] if ends is None else list(ends) if isinstance(ends, list) else [ends]
        padding = self.tokenizer.pad_token_id
        self.padding = padding if padding is not None else self.ends[0] if self.ends else 0

    def tokens(self, ask: Ask) -> list[int]:
        """Return the prompt's tokens: by the model's chat template, or role by role where it has none."""
        messages = ask.messages()
        with self.lock:
            if self.tokenizer.chat_template:
                text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
                return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
            text = "".join(f"{message['role']}: {message['content']}\n" for message in messages) + "assistant:"
            return list(self.tokenizer(text)["input_ids"])

    def generate(
        self, prompts: Sequence[Sequence[int]], seeds: Sequence[int], sampling: Sampling, new_tokens: int
    ) -> list[list[int]]:
        """Return the tokens that follow each prompt, without the one that ends the answer."""
        import torch
        import transformers

        longest = max(map(len, prompts))
        device = self.model.device
        ids = torch.tensor([[self.padding] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=device)
        mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
        # Nothing of the model's own sampling settings may slip in, nor tokens be forbidden that nobody asked to.
        settings = transformers.GenerationConfig(
            max_new_tokens=new_tokens, do_sample=False, pad_token_id=self.padding, eos_token_id=self.ends or None
        )
        with self.lock, torch.inference_mode():
            produced = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                generation_config=settings,
                logits_processor=_choice(sampling, seeds),
                stopping_criteria=_stop_when_interrupted(),
            )
        return [self._without_end(row) for row in produced[:, longest:].tolist()]

    def _without_end(self, tokens: list[int]) -> list[int]:
        for position, token in enumerate(tokens):
            if token in self.ends:
                return tokens[:position]
        return tokens


def _choice(sampling: Sampling, seeds: Sequence[int]) -> Any:
    """Return what turns "the likeliest token" into a draw.

    The largest of the logits plus Gumbel noise is distributed as a draw by their probabilities. Each row has its own
    noise, so its answer does not depend on the rows beside it, as draws from one stream would.
    """
    import torch
    import transformers

    chain = transformers.LogitsProcessorList()
    if sampling.temperature == 0:
        return chain
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def add_noise(ids: Any, scores: Any) -> Any:
        uniform = torch.stack([torch.rand(scores.shape[1], generator=each, dtype=torch.float64) for each in generators])
        noise = -torch.log(-torch.log(uniform.clamp(1e-300, 1 - 1e-16)))
        return scores + noise.to(scores.device, torch.float32)

    chain.append(transformers.TemperatureLogitsWarper(float(sampling.temperature)))
    if sampling.top_k:
        chain.append(transformers.TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        chain.append(transformers.TopPLogitsWarper(sampling.top_p))
    chain.append(add_noise)
    return chain


def _stop_when_interrupted() -> Any:
    import torch
    import transformers

    def criterion(ids: Any, scores: Any, **_: Any) -> Any:
        return torch.full((ids.shape[0],), is_interrupted(), device=ids.device, dtype=torch.bool)

    return transformers.StoppingCriteriaList([criterion])


@functools.lru_cache(maxsize=2)
def _load_once(folder: str, device: str) -> _Loaded:
    return _Loaded(folder, device)


_load_lock = threading.Lock()


def _load(folder: str, device: str) -> _Loaded:
    """Return a model that all OPs and threads of the process share."""
    with _load_lock:
        return _load_once(folder, device)


def _fingerprint(folder: str) -> str:
    """Return a name for the cache that changes with the model's files, but not with the place where they lie."""
    if not os.path.isdir(folder):
        return folder
    digest = hashlib.sha256()
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_file():
            digest.update(f"{entry.name} {entry.stat().st_size}\n".encode())
            if entry.name.endswith(".json"):
                with open(entry.path, "rb") as file:
                    digest.update(hashlib.sha256(file.read()).digest())
            elif entry.name.endswith(".safetensors"):
                digest.update(_ends_of(entry.path))
    return f"{os.path.basename(os.path.abspath(folder))}:{digest.hexdigest()[:16]}"


def _ends_of(path: str, most: int = 1 << 20) -> bytes:
    """Return the digest of a large file's beginning and end: weights of another training differ there."""
    with open(path, "rb") as file:
        begin = file.read(most)
        file.seek(max(0, os.path.getsize(path) - most))
        return hashlib.sha256(begin + file.read(most)).digest()


def _seed(question: Question) -> int:
    """Return the seed of one answer: another for each prompt, seed and try, the same in every run."""
    digest = hashlib.sha256(question.content + question.ask.try_number.to_bytes(8, "little")).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _require_transformers(op: str) -> None:
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"{op}: a language model inside the process is run by the packages transformers and torch: "
            "pip install 'djfast[transformers]'"
        ) from error
