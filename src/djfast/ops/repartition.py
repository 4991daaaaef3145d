"""How rows are spread over workers, which recipes need not say here."""

from __future__ import annotations

from djfast.declare import Example, Mapper, param


class RayRepartitionPipeline(Mapper, name="ray_repartition_pipeline"):
    """Passes all rows on unchanged.

    On Ray this OP cuts the data into blocks of equal size. Here batches are sized by bytes, and a free thread takes the next
    one. The OP does not read texts, empty or not.
    """

    examples = (Example(rows=[{"text": "a"}, {"text": ""}], params={"num_blocks": 4}, expect=[{"text": "a"}, {"text": ""}]),)

    num_blocks: int = param("Number of blocks.", default=1, ge=1, no_effect="batches are sized by bytes")
    shuffle: bool = param(
        "Shuffle the rows.", default=False, refused="rows keep their order; random_selector with select_ratio shuffles"
    )
