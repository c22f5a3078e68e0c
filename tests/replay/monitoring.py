"""Monitored runs to record: rules and judges that let through, edit, send back, ask and halt."""

from activities.contracts.people import Choice
from tests.replay import composition as made
from tests.replay.scenario import Scenario, scheduled, stopped
from tests.support.monitors import judged, talks, watched
from tests.support.scripted import calls
from tests.support.supervision import spacious

MAIL = calls(("send_mail", {"to": "ann"}))
TO_BOB = {"tool": "send_mail", "verdict": "edit", "replace": {"to": "bob"}, "reason": "ann is away"}
NEVER = {"tool": "send_mail", "verdict": "block", "reason": "no mail today", "correction": "answer"}
ASK = {"tool": "send_mail", "verdict": "ask", "asking": {"people": ["nora"], "seconds": 600}}
HALT = {"tool": "send_mail", "verdict": "halt", "reason": "no mail today"}
STAGES = {"kind": "pipeline", "stages": [{"kind": "agent", "agent": "a"}, {"kind": "agent", "agent": "b"}]}
BLUE = {"on": ["answer"], "text": "blue", "verdict": "edit", "redact": "red"}

SCENARIOS = (
    Scenario("monitor", "success", judged(TO_BOB), talks(MAIL, "you fool", "dear sir")),
    Scenario("monitor", "success_blocked", judged(NEVER), talks(MAIL, "done")),
    Scenario("monitor", "success_nested", spacious(judged(BLUE, node=STAGES)), talks("blue", "green")),
    Scenario("monitor", "success_asked", judged(ASK, on=["answer"]), talks(MAIL, "done"), made.says(Choice.APPROVE)),
    Scenario("monitor", "success_output", watched(made.ECHO | {"arguments": {"text": "blue"}}, BLUE)),
    Scenario("monitor", "failure", judged({"text": "no", "verdict": "block"}), talks(*["no"] * 3)),
    Scenario("monitor", "failure_halted", judged(HALT), talks(MAIL)),
    Scenario("monitor", "waiting", judged(TO_BOB), end=scheduled, pools=("workflows",)),
    Scenario("monitor", "waiting_asked", judged(ASK, on=["answer"]), talks(MAIL), made.left_asking),
    Scenario("monitor", "cancelled", judged(TO_BOB), end=stopped, pools=("workflows",)),
)
