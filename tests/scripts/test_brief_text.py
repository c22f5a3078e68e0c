"""A verified brief as people see it in the terminal."""

from typing import Any

from scripts.brief_text import brief_text, is_brief

CLAIM = {"claim": "Salt pays no duty.", "quote": "Salt pays *no*\nduty.", "source": "rules.txt:5"}
ROW = {"claim": "lamp: north; colour: white", "quote": "| north | white |", "source": "log.md:20"}


def output(**changes: Any) -> dict[str, Any]:
    counts = {"claims": 3, "verified": 2, "corrected": 1, "dropped": 1}
    given = {"answer": "brief", "title": "Salt", "claims": [CLAIM, ROW], "dropped": [], "counts": counts}
    return {**given, **changes}


def test_claims_stand_with_their_sources_and_are_not_said_twice() -> None:
    dropped = [{"claim": "All pay.", "reason": "the quote is not there"}]
    assert brief_text(output(dropped=dropped, unanswered=["Who is king?"])).split("\n\n") == [
        "Salt",
        "1. Salt pays no duty.\n   -- rules.txt:5",
        "2. lamp: north; colour: white\n   > | north | white |\n   -- log.md:20",
        "not in these documents: Who is king?",
        "verified: 2 claims, each with a quotation that stands in the documents word for word "
        "(of 1 the place was corrected); dropped: 1",
        "dropped: All pay.: the quote is not there",
    ]


def test_without_claims_only_the_answer_is_left() -> None:
    none = output(answer="not in these documents", claims=[], counts={"claims": 0, "verified": 0, "dropped": 0})
    assert brief_text(none) == "not in these documents"


def test_other_outputs_are_no_briefs() -> None:
    assert is_brief(output())
    assert not any(map(is_brief, ("text", None, [], {"answer": "yes", "quotes": []}, {"claims": [], "counts": 3})))
