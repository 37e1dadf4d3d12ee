"""`POST /v1/embeddings`: vectors of texts, as floats or as base64 of float32."""

from __future__ import annotations

import base64
from typing import Any

from fastapi import APIRouter, Request

from ipse.errors import UsageError
from ipse.lm import LM
from ipse.server.context import Asks, Serves, answering
from ipse.server.openai.asking import check_model, whose
from ipse.server.openai.wire import EmbeddingRequest

__all__ = ["router"]

router = APIRouter()


@router.post("/embeddings")
async def embeddings(
    body: EmbeddingRequest, request: Request, served: Serves, caller: Asks
) -> dict[str, Any]:
    """Give the vectors of texts; they are the same for everyone."""
    whose(body, request, caller)
    check_model(served, body.model)
    if not all(body.texts):
        raise UsageError("input must not hold an empty text")
    return await answering(_embedded, served.engine.lm, body)


def _embedded(lm: LM, body: EmbeddingRequest) -> dict[str, Any]:
    vectors = lm.embed(body.texts)  # (texts, width)
    width = vectors.shape[1]
    if body.dimensions not in (None, width):
        raise UsageError(f"vectors here have {width} dimensions; got {body.dimensions}")
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(one.astype("<f4").tobytes()).decode()
            if body.encoding_format == "base64"
            else [float(number) for number in one],
        }
        for index, one in enumerate(vectors)
    ]
    count = sum(_tokens(lm, text) for text in body.texts)
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": data, "model": body.model, "usage": usage}


def _tokens(lm: LM, text: str) -> int:
    """Count tokens by the language model's own; words where it has none to count with."""
    return lm.cut(text).tokens if "cut" in lm.carries else len(text.split())
