"""Judge of a monitor: what a policy in words forbids, looked for in one action."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from activities.providers.offline_criteria import Check, What, kind_of, shortened, units
from activities.providers.offline_criteria_words import read_criterion
from activities.providers.offline_evidence import Evidence
from activities.providers.offline_material import as_value, plain_text
from activities.providers.offline_roles.base import Blind, Request
from activities.providers.offline_words import content_roots, root, spoken

MAX_REASONS = 5
PLAIN, BY_WORDS, IN_PART = 1.0, 0.8, 0.4
"""Scores: what is forbidden stands there by its form or letter, all of its words do, or some of them."""

_MARKED = re.compile(r"two marks ([0-9a-f]{8,64})\.")
_POLICY = re.compile(r"(?s)\bpolicy\b[^\n]*:\n\n(.*?)\n\nThe action: ([^\n]*)")
_SENTENCE = re.compile(r"(?<=[.;!?])\s+|\n+(?:[-*]\s+)?")
_AMOUNT = re.compile(
    r"(?i)\b(?:amounts?|sums?|prices?|payments?|figures?|more)\b[^.\n]{0,40}?\b(?:above|over|more than|exceeding|than)\s+\D{0,3}(\d[\d,.]*\d|\d)"
)
_NUMBER = re.compile(r"(?<![\w.:/-])\d[\d,]*(?:\.\d+)?(?![\w:/-])")
_GIVEN_OUT = r"""(?:be )?(?:named|mentioned|given|sent|shared|revealed|disclosed|said|written|used|passed|included|paid|shown|told|published)|
    leave|appear|occur|go out|stand|allowed|permitted"""
_SUBJECT = re.compile(
    rf"(?i)^(?:any |all |the |an? )?(.{{3,100}}?)\s+(?:(?:(?:must|may|should|shall|can|do|does|are|is|will)(?: not|n't| never)|cannot|never)\s+(?:{'|'.join(part.strip() for part in _GIVEN_OUT.split('|'))})|(?:is|are) (?:forbidden|prohibited))\b"
)
_SELF = re.compile(r"(?i)^(?:it|you|we|they|nobody|answers?|actions?|agents?|repl(?:y|ies)|drafts?|letters?)$")
_ORDER = re.compile(r"(?i)^(?:never|block|forbid|forbidden:?|stop|refuse|prohibited:?|do not|don't)\s+(.+)")


@dataclass(frozen=True)
class MonitorJudge(Blind):
    """Scores what is forbidden by the clearest find."""

    names: tuple[str, str, str]
    """The fields for score, reasons and correction; the last one may be empty."""
    policy: str
    action: str

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """A score, with the sentences of the action that it is for."""
        del evidence
        score, reasons, correction = self.names
        found = sorted(violations(self.policy, self.action), key=lambda one: -one[0])
        kept = list(dict.fromkeys(why for _, why, _ in found))[:MAX_REASONS]
        mend = " ".join(dict.fromkeys(how for _, _, how in found[:MAX_REASONS]))[:800]
        value: dict[str, Any] = {score: found[0][0] if found else 0.0, reasons: kept}
        yield value | ({correction: mend} if correction else {})
        yield value | {reasons: kept[:1]} | ({correction: ""} if correction else {})


def recognise(request: Request) -> MonitorJudge | None:
    """A score with reasons and a correction, and a policy in the prompt."""
    fields = request.fields
    if not {"score", "reasons", "correction"} <= set(fields) or len(fields) > 3:
        return None
    prompt = request.prompt
    policy = _POLICY.search(prompt)
    mark = _MARKED.search(prompt)
    shown = prompt.split(f"\n{mark[1]}\n") if mark else []
    action = shown[1] if len(shown) >= 3 else request.sections.given or request.sections.under("action", "draft")
    said = policy[1] if policy else request.sections.under("policy", "policies", "rules")
    return MonitorJudge(("score", "reasons", "correction"), said or request.instructions, plain_text(as_value(action)))


def violations(policy: str, action: str) -> Iterator[tuple[float, str, str]]:
    """What of an action a policy forbids: the score, the reason, and what to do instead."""
    for sentence in filter(None, (part.strip(" -*") for part in _SENTENCE.split(policy))):
        if found := _AMOUNT.search(sentence):
            yield from _above(sentence, _value(found[1]), action)
            continue
        for check in _forbidden(sentence):
            if not check.holds(action):
                score = PLAIN if check.exact or kind_of(check.term) or check.what is What.LENGTH else BY_WORDS
                yield score, _reason(check, action), _instead(check)
            elif check.what is What.LACKS and (part := _overlap(check.term, action)):
                yield round(IN_PART * part, 2), f"Some of it is near to: {check.term}.", _instead(check)


def _above(sentence: str, limit: float, action: str) -> Iterator[tuple[float, str, str]]:
    for part in units(action):
        for number in _NUMBER.findall(part):
            if _value(number) > limit:
                why = f"It names {number}, which is above {limit:g}, in: {shortened(part)} (policy: {sentence})"
                yield PLAIN, why[:500], f"Stay at {limit:g} or below."


def _forbidden(sentence: str) -> Iterator[Check]:
    """The checks of one sentence of a policy: also where what is forbidden comes first, or as an order."""
    subject = _SUBJECT.match(sentence)
    if subject and not _SELF.match(subject[1]):
        yield from read_criterion(f"It has no {subject[1]}")
    elif order := _ORDER.match(sentence):
        rest = re.sub(
            r"(?i)^(?:send|name|mention|give|reveal|share|disclose|say|tell|write|use|call|pass on)\s+", "", order[1]
        )
        yield from read_criterion(f"It has no {rest}")
    else:
        yield from read_criterion(sentence)


def _reason(check: Check, action: str) -> str:
    return check.problem(action)[:500]


def _instead(check: Check) -> str:
    if check.what is What.LACKS:
        return f"Leave out {check.named}."
    return f"Keep to this: {check.criterion.rstrip('.')}."


def _overlap(term: str, action: str) -> float:
    """The part of a forbidden phrase's words that one sentence holds; one word alone is chance."""
    wanted = content_roots(term)
    if len(wanted) < 2:
        return 0.0
    return max(
        (len(wanted & {root(word) for word in spoken(part)}) / len(wanted) for part in units(action)), default=0.0
    )


def _value(said: str) -> float:
    try:
        return float(said.rstrip(".,").replace(",", ""))
    except ValueError:
        return 0.0
