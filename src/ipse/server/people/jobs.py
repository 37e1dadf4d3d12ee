"""What is to be learned of people, in the background: enrol, and how far that is."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from ipse.route import methods_of
from ipse.server.context import Served, Serves
from ipse.server.idempotency import Doing, Once
from ipse.server.people import wire
from ipse.server.people.paths import Each, Learning, Who, everybodys

__all__ = ["router"]

router = APIRouter(tags=["jobs"])
everybody = APIRouter(tags=["jobs"], dependencies=[Depends(everybodys)])

Asked = Annotated[wire.Enroll | None, "What is to be learned; nothing is the server's own methods."]


@router.post("/users/{user}/enroll", status_code=202)
def enroll(user: Learning, served: Serves, once: Once, body: Asked = None) -> dict[str, Any]:
    """Let methods learn of a person what is missing, in the background."""
    asked = body or wire.Enroll()
    served.engine.store.user(user, latest=0)  # or say that there is no such person
    return _ask(served, once, user, "anew" if asked.anew else "enroll", asked)


@router.get("/users/{user}/jobs")
def list_jobs(user: Who, served: Serves) -> dict[str, Any]:
    """List the latest jobs of a person, newest first."""
    return {"data": [job.to_json() for job in served.engine.store.jobs.latest(user)]}


@router.get("/users/{user}/jobs/{each}")
def get_job(user: Who, each: Each, served: Serves) -> dict[str, Any]:
    """Say how far a job is."""
    return served.engine.store.jobs.find(each, user).to_json()


@everybody.post("/enroll", status_code=202)
def enroll_all(served: Serves, once: Once, body: Asked = None) -> dict[str, Any]:
    """Let methods learn of everybody what is missing, in the background."""
    asked = body or wire.Enroll()
    return _ask(served, once, None, "anew" if asked.anew else "enroll", asked)


@everybody.post("/fit", status_code=202)
def fit(served: Serves, once: Once, body: Asked = None) -> dict[str, Any]:
    """Let methods learn from everybody who shares, in the background."""
    return _ask(served, once, None, "fit", body or wire.Enroll())


@everybody.get("/jobs")
def list_all(served: Serves) -> dict[str, Any]:
    """List the latest jobs of everybody together, and how many wait and are under way in all."""
    jobs = served.engine.store.jobs
    return {"data": [job.to_json() for job in jobs.latest(None)], "counts": dict(jobs.counts())}


@everybody.get("/jobs/{each}")
def get_everybodys(each: str, served: Serves) -> dict[str, Any]:
    """Say how far a job of everybody's is."""
    return served.engine.store.jobs.find(each, None).to_json()


def _ask(
    served: Served, once: Doing, user: str | None, kind: str, asked: wire.Enroll
) -> dict[str, Any]:
    jobs, methods = served.engine.store.jobs, asked.composition or served.engine.written
    methods_of(methods)  # or say what is wrong with it

    def act() -> None:
        jobs.add(user, kind, methods)

    data = once(user, act).data
    served.worker.wake()
    return jobs.find(data["job"], user).to_json()


router.include_router(everybody)
