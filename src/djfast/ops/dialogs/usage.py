"""What models used to answer."""

from __future__ import annotations

from djfast.declare import Example, Mapper, param
from djfast.expr import Expr, call, field, member
from djfast.reserved import META


class UsageCounterMapper(Mapper, name="usage_counter_mapper"):
    """Adds up the token usage of a row's requests.

    The OP reads usages from `usage_key`, from the response's metadata, and from each choice with its message or delta. Tokens
    of the prompt are `prompt_tokens` or `input_tokens`, those of the completion `completion_tokens` or `output_tokens`; a
    value that is not a number is ignored. The tags `prompt_tokens` and `completion_tokens` are the sums. As in Data-Juicer,
    `total_tokens` is the first total that is given, not a sum; if none is given, it is the sum of both, or null if that is 0,
    as for an empty row.
    """

    replaces_tags = True
    examples = (
        Example(
            rows=[
                {"text": "t", "usage": {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}},
                {"text": "t", "choices": [{"usage": {"input_tokens": 3}}, {"message": {"usage": {"output_tokens": 4}}}]},
                {"text": "t", "usage": None},
            ],
            params={},
            expect=[
                {META: {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}},
                {META: {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}},
                {META: {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": None}},
            ],
        ),
    )

    choices_key: str = param("Field of the choices.", default="choices")
    usage_key: str = param("Field of the usage.", default="usage")
    response_metadata_key: str = param("Field of the response's metadata.", default="response_metadata")
    dedupe_identical_usage: bool = param("Whether usages with the same numbers count once.", default=True)

    def tags(self) -> dict[str, Expr]:
        """Return the three counts."""
        usage = call(
            "token_usage",
            field(self.usage_key),
            field(self.response_metadata_key),
            field(self.choices_key),
            distinct=self.dedupe_identical_usage,
        )
        names = {"prompt_tokens": "prompt", "completion_tokens": "completion", "total_tokens": "total"}
        return {name: member(usage, part) for name, part in names.items()}
