"""Record batches as bytes: one batch as an Arrow IPC stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def stream_of(batch: pa.RecordBatch) -> pa.Buffer:
    """Return the stream that holds a batch."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def batch_of(stream: Any) -> pa.RecordBatch:
    """Return the batch that a stream holds; its columns are views of the stream's memory."""
    import pyarrow as pa

    with pa.ipc.open_stream(stream) as reader:
        return reader.read_next_batch()
