"""Mappers that run code of the user. Who runs the recipes of strangers forbids them with DJFAST_USER_CODE=0."""

from __future__ import annotations

from djfast.declare import Example, Mapper, param
from djfast.expr import Expr, call, row


class PythonLambdaMapper(Mapper, name="python_lambda_mapper"):
    """Applies a lambda of the recipe to every row.

    The lambda takes the row as a dictionary and returns a dictionary, whose fields replace those of the row. This runs code
    from the recipe, with all that Python can do; DJFAST_USER_CODE=0 in the environment forbids it. An empty lambda changes
    nothing.
    """

    lambda_str: str = param("A lambda with one argument, the row; empty changes nothing.", default="")
    batched: bool = param("Whether the function gets up to 1000 rows at once, as a dictionary of lists.", default=False)

    examples = (
        Example(
            rows=[{"text": "A b"}, {"text": ""}],
            params={"lambda_str": "lambda row: {'text': row['text'].lower(), 'size': len(row['text'])}"},
            expect=[{"text": "a b", "size": 3}, {"text": "", "size": 0}],
        ),
    )

    def rewrite(self) -> Expr | None:
        """Return the rows as the lambda leaves them."""
        if not self.lambda_str:
            return None
        return call("user_lambda_batch" if self.batched else "user_lambda", row(), source=self.lambda_str)


class PythonFileMapper(Mapper, name="python_file_mapper"):
    """Applies a function of a Python file to every row.

    The function takes the row as a dictionary and returns a dictionary, whose fields replace those of the row. The file is
    run when the recipe runs; DJFAST_USER_CODE=0 in the environment forbids it. An empty path changes nothing.
    """

    file_path: str = param("The file; empty changes nothing.", default="")
    function_name: str = param("The function, of one argument.", default="process_single")
    batched: bool = param("Whether the function gets up to 1000 rows at once, as a dictionary of lists.", default=False)

    examples = (Example(rows=[{"text": "as it was"}], params={}, expect=[{"text": "as it was"}]),)

    def rewrite(self) -> Expr | None:
        """Return the rows as the function leaves them."""
        if not self.file_path:
            return None
        name = "user_file_batch" if self.batched else "user_file"
        return call(name, row(), path=self.file_path, function=self.function_name)
