"""Texts: continued, with what each character surprised by, and weighed."""

from __future__ import annotations

import time

from fastapi import APIRouter

from volute.handles import LanguageModel
from volute.handles.surprise import pieces
from volute.handles.writing import Sampling
from volute.provenance.manifest import signed_file
from volute.studio.context import Client, Here
from volute.studio.jobs import Task
from volute.studio.made import keep
from volute.studio.models import Job, Piece, Scored
from volute.studio.requests import ScoreRequest, WriteRequest

router = APIRouter(tags=["write"])
SHOW_S = 0.04
"""Seconds from one event with new characters to the next."""


@router.post("/write", status_code=202)
def write(asked: WriteRequest, studio: Here, client: Client) -> Job:
    """Continue a text: a job whose events `text` are its pieces as they come, with their bits.

    The whole is its result, a file of text with a signed manifest beside it.
    """
    handle = studio.shelf.load(asked.model, LanguageModel, "write")
    how = asked.model_dump(include={"temperature", "top_p", "min_p", "stop", "seed"})
    marked = Sampling.make(how).marks(asked.tokens)
    handle.begin("", asked.label)

    def work(task: Task) -> None:
        draft = handle.begin(asked.prompt, asked.label)
        made, due = [], 0.0
        fresh: list[Piece] = []
        for piece in draft.spell(tokens=asked.tokens, **how):
            made.append(piece)
            fresh.append(Piece(text=piece.text, bits=round(piece.bits, 3)))
            if time.monotonic() >= due:
                task.text(fresh)
                fresh, due = [], time.monotonic() + SHOW_S
        task.text(fresh)
        text = asked.prompt + "".join(piece.text for piece in made)
        bits = sum(piece.bits for piece in made)
        ident, path = studio.space.new_result(asked.model, ".txt")
        told = {key: how[key] for key in ("temperature", "top_p", "min_p")}
        told |= {"tokens": asked.tokens, "class": asked.label or None}
        origin = handle.origin("write", told, seed=asked.seed)
        with signed_file(path, origin, task.emit) as part:
            part.write_text(text + "\n", encoding="utf-8", errors="replace")
        task.answer({"text": text, "marked": marked})
        about = {"marked": marked, "bits": round(bits, 1), "characters": len(text)}
        task.result(
            keep(
                ident,
                path,
                asked,
                route="/api/v1/write",
                deed="write",
                role="text",
                job=task.id,
                about=about,
                previewed=False,
            )
        )

    return studio.jobs.submit("write", asked.model_dump(mode="json"), work, client=client)


@router.post("/score")
def score(asked: ScoreRequest, studio: Here) -> Scored:
    """Tell how surprising a text is, piece by piece."""
    handle = studio.shelf.load(asked.model, LanguageModel, "score")
    data = asked.text.encode("utf-8", "replace")
    found = handle.score(data)
    told = tuple(Piece(text=text, bits=round(bits, 3)) for text, bits in pieces(data, found))
    return Scored(bits_per_byte=found.bits_per_byte, pieces=told)
