"""Which messages a session takes. Run by the update's validator: what is refused here leaves no trace in history."""

import re
from typing import NoReturn

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.contracts.failures import FailureDetail, FailureKind, Origin
    from workflows.session_book import SessionBook
    from workflows.sessions import Refusal, digest_of_text

MESSAGE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


def check_known(book: SessionBook, message_id: str, text: str) -> bool:
    """Whether the message was sent before; its answer is given again.

    Raises:
        ApplicationError: the id is none, its answer is not remembered, or it was another message's.
    """
    if not MESSAGE_ID.fullmatch(message_id):
        _refuse(
            Refusal.INVALID,
            f"the message id {message_id[:120]!r} is not valid",
            "use letters, digits, '.', '_', ':' and '-', at most 100",
        )
    waiting = next((waiting for waiting in book.queue if waiting.message_id == message_id), None)
    reply = book.answered.get(message_id)
    if reply or waiting:
        before = reply.message if reply else digest_of_text(waiting.text if waiting else "")
        if before != digest_of_text(text):
            _refuse(Refusal.OTHER_TEXT, f"another text was sent as message {message_id!r}", "send it under a new id")
        return True
    if book.was_answered(message_id):
        _refuse(
            Refusal.FORGOTTEN,
            f"the message {message_id!r} was answered so long ago that its answer is not remembered",
            "ostinato show --thread prints the conversation; send it under a new id to ask again",
        )
    return False


def check_new(book: SessionBook, text: str, *, turning_over: bool) -> None:
    """Refuse a message that cannot be taken up.

    Raises:
        ApplicationError: its type is a ``Refusal``, its details hold what to do.
    """
    settings = book.run.settings
    if not text.strip():
        _refuse(Refusal.INVALID, "the message is empty", "say something")
    if len(text) > settings.message_characters:
        _refuse(
            Refusal.INVALID,
            f"the message has {len(text):,} characters; at most {settings.message_characters:,} are taken",
            "shorten it; longer material belongs into the input folder of a session",
        )
    ended = book.ended
    if not ended and book.number + len(book.queue) >= settings.messages:
        ended = f"its limit of {settings.messages:,} messages is reached"
    if ended:
        _refuse(Refusal.ENDED, f"the session has ended: {ended}", "start another with another --id")
    if len(book.queue) >= settings.queue:
        _refuse(Refusal.QUEUE_FULL, f"{len(book.queue)} messages are unanswered", "send it when they are answered")
    if turning_over:
        _refuse(Refusal.TURNING_OVER, "the session is about to begin its history anew", "send it again in a moment")


def _refuse(refusal: Refusal, message: str, fix: str) -> NoReturn:
    detail = FailureDetail(
        kind=FailureKind.REQUEST_REJECTED, origin=Origin.OPERATOR, retryable=False, message=message, fix=fix
    )
    raise ApplicationError(message, detail, type=refusal.value, non_retryable=True)
