"""OpenAI's endpoints, word for word: any client of theirs is a client of ours."""

from fastapi import APIRouter

from ipse.server.openai import chat

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["OpenAI"])
router.include_router(chat.router)
