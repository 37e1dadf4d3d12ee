"""What is known of people, and what becomes of it: `/v1/users/{user}/...`."""

from fastapi import APIRouter

from ipse.server.people import jobs, person, questions, records, replies

__all__ = ["router"]

router = APIRouter(prefix="/v1")
router.include_router(records.router)
router.include_router(replies.router)
router.include_router(questions.router)
router.include_router(jobs.router)
router.include_router(person.router)
