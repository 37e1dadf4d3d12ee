"""OpenAI's endpoints, word for word: any client of theirs is a client of ours."""

from fastapi import APIRouter

from ipse.server.openai import chat, completions, embeddings, models

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["OpenAI"])
for _part in (chat, completions, embeddings, models):
    router.include_router(_part.router)
