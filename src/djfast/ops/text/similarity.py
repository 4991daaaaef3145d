"""Filters by how near a text is to others in the space of a model's embeddings."""

from __future__ import annotations

import json

from djfast.declare import Filter, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, field, text_field
from djfast.ops.text.templates import field_names

_AT_ONCE = "Number of texts that a model in the process reads together. More are faster on a GPU and change the last digits."


class TextPairSimilarityFilter(Filter, name="text_pair_similarity_filter"):
    """Keeps rows whose two texts are similar, by the text features of a CLIP model.

    The value is the cosine similarity of both. If one text is missing, null or empty, the row has no value and is kept. If a
    text is longer than the model can read, usually 77 tokens, the row is rejected.
    """

    source = 'Radford et al., "Learning transferable visual models from natural language supervision", 2021.'

    hf_clip: str = param(
        "A CLIP model: a folder, or a name in the folders of models or the Hugging Face cache.",
        default="openai/clip-vit-base-patch32",
    )
    trust_remote_code: bool = param(
        "Whether code of the model may run.", default=False, refused="code that comes with a model is never run"
    )
    min_score: float | None = param("Smallest similarity kept; null sets no limit.", default=0.1)
    max_score: float | None = param("Largest similarity kept; null sets no limit.", default=1.0)
    text_key_second: str | None = param("Field of the second text; must be given.", default=None)
    any_or_all: str = param("Without effect, since a row has one value.", default="any", choices=("any", "all"))
    texts_at_once: int = param(_AT_ONCE, default=1, ge=1, le=4096)

    def stats(self) -> dict[str, Expr]:
        """List of the one similarity, or of none."""
        similarity = call(
            "clip_similarity",
            text_field(),
            field(self.text_key_second or ""),
            model=self.hf_clip,
            second_key=self.text_key_second,
            device=self.accelerator,
            texts_at_once=self.texts_at_once,
        )
        return {"text_pair_similarity": similarity}

    def keep(self) -> Expr:
        """Similarity in range, or none."""
        return self.list_in_range(
            "text_pair_similarity", self.min_score, self.max_score, any_or_all=self.any_or_all, when_empty=True
        )


class TextEmbdSimilarityFilter(Filter, name="text_embd_similarity_filter"):
    """Keeps rows that are similar to validation rows, by embeddings of a server or of a model in the process.

    The value is the mean of the cosine similarities to all validation rows. A row without the fields of the template must
    have `messages`, whose texts are used instead. A row is rejected if there is no embedding for it, where Data-Juicer keeps
    it; so is the empty text if the model or server refuses it.
    """

    acts_outside = True

    api_or_hf_model: str = param(
        "Name of the model on the server, or, in the process, a folder or a name in the folders of models or the Hugging Face "
        "cache.",
        default="text-embedding-v4",
    )
    is_hf_model: bool = param("Whether the model runs in this process instead of on a server.", default=False)
    api_endpoint: str = param("Full URL, or a path below `OPENAI_BASE_URL`.", default="embeddings")
    response_path: str = param("Path of the numbers in the server's response.", default="data.0.embedding")
    model_params: dict | None = param("`base_url` of the server; its key comes from the environment.", default=None)  # type: ignore[type-arg]
    min_score: float | None = param("Smallest similarity kept; null sets no limit.", default=0.1)
    max_score: float | None = param("Largest similarity kept; null sets no limit.", default=1.0)
    valid_dataset: list[dict] | None = param("Validation rows; must be given.", default=None)  # type: ignore[type-arg]
    ebd_dim: int = param("Dimension of an embedding, sent to the server.", default=4096, ge=1)
    pooling: str | None = param(
        "How a model in the process makes one embedding from those of the tokens: null takes that of the last token, the "
        "others their mean, plain or weighted by position.",
        default=None,
        choices=(None, "mean", "weighted_mean"),
    )
    input_template: str | None = param("Template of a row's text; `{name}` is a field. Null is the text field.", default=None)
    texts_at_once: int = param(_AT_ONCE, default=1, ge=1, le=4096)

    def validate(self) -> None:
        """Check what only a server takes."""
        if self.is_hf_model and self.model_params:
            raise RecipeError(f"{self.spec.name}: model_params are for a server, not with is_hf_model, got {self.model_params!r}")

    def stats(self) -> dict[str, Expr]:
        """Mean similarity to the validation rows."""
        key = self.text_key or "text"
        template = self.input_template or "{text}"
        names = field_names([template], op=self.spec.name)
        fields = [field(name) for name in names] if self.input_template else [text_field()]
        text = call("filled_template", field("messages"), *fields, template=template, names=names)
        rows = [{**row, "text": row[key]} if not self.input_template and key in row else row for row in self.valid_dataset or []]
        valid = {"valid_dataset": json.dumps(rows), "template": template, "names": names}
        if self.is_hf_model:
            params = {"pooling": self.pooling, "device": self.accelerator, "texts_at_once": self.texts_at_once}
            similarity = call("model_similarity", text, model=self.api_or_hf_model, **params, **valid)
        else:
            similarity = call(
                "served_similarity",
                text,
                model=self.api_or_hf_model,
                api_endpoint=self.api_endpoint,
                response_path=self.response_path,
                model_params=self.model_params or {},
                dimensions=self.ebd_dim,
                **valid,
            )
        return {"text_embd_similarity": similarity}

    def keep(self) -> Expr:
        """Similarity in range."""
        return self.in_range("text_embd_similarity", self.min_score, self.max_score)
