"""Small folders of different kinds, and questions about them: with a piece of the sentence that answers, or without."""

from dataclasses import dataclass

from tests.tools.folder import Folder


@dataclass(frozen=True)
class Case:
    """A question and, piece by piece, what the quotations have to hold; nothing where the documents do not answer."""

    folder: str
    question: str
    facts: tuple[str, ...] = ()


RECIPES = {
    "pancakes.md": """# Pancakes

Serves four. Takes twenty minutes.

## Ingredients

- 200 g flour
- 3 eggs
- 400 ml milk
- a pinch of salt

## Method

Whisk flour, eggs, milk and salt to a smooth batter. Let it rest for 15 minutes.
Fry in butter over medium heat, about two minutes on each side.
""",
    "soup.md": """# Lentil soup

Red lentils need no soaking.

1. Fry one chopped onion in oil until it is golden.
2. Add 250 g red lentils and a litre of stock.
3. Simmer for 20 minutes, then season with lemon juice.

The soup keeps in the fridge for three days. It must not be frozen, because the lentils turn to mush.
""",
}
LEASE = {
    "lease.txt": """LEASE AGREEMENT

Landlord: Hilda Brandt, 12 Mill Lane
Tenant: Omar Said
Monthly rent: 850 euros
Deposit: 1,700 euros

1. The rent is due on the third working day of each month and is paid to the landlord's account.

2. The tenant may end this agreement in writing with three months' notice to the end of a month. The landlord may
end it only for the reasons that the law names.

3. Pets other than fish need the landlord's written consent. Small repairs up to 100 euros are the tenant's.

4. The deposit is returned within six weeks after the keys were handed over, less the cost of damage.
""",
    "house-rules.txt": """House rules

Quiet hours are from 22:00 to 06:00. Bicycles are kept in the cellar, never in the hallway.

The stairs are cleaned every week, by each floor in turn. Barbecues on balconies are forbidden.
""",
}
LOGS = {
    "server.log": """2026-03-02 08:14:01 INFO  boot: version 4.2.1 started on host amber
2026-03-02 08:14:09 INFO  db: connected to orders-db in 212 ms
2026-03-02 09:31:44 WARN  cache: hit rate fell to 41 percent
2026-03-02 09:58:12 ERROR payment: gateway timeout after 30 s, order 77120 left pending
2026-03-02 09:58:15 INFO  payment: order 77120 retried and captured
2026-03-02 11:20:00 ERROR disk: volume /data is 96 percent full
2026-03-02 11:42:37 INFO  disk: volume /data cleaned by operator mira, 61 percent full
""",
    "runbook.md": """# Runbook

## Disk full

Delete rotated logs older than seven days from `/data/logs`, then restart the collector.
Page the storage team when usage stays above 90 percent for an hour.

## Gateway timeouts

Orders that are left pending are retried by the reconciler every three minutes. Do not retry them by hand: the customer
could be charged twice.
""",
}
CODE = {
    "src/limiter.py": '''"""A token bucket that limits requests per client."""

import time

MAX_BURST = 40
"""Requests that a client may send at once."""


class TokenBucket:
    """Holds the tokens of one client."""

    def __init__(self, rate_per_second: float) -> None:
        self.rate = rate_per_second
        self.tokens = float(MAX_BURST)

    def take(self) -> bool:
        """Take one token; False where none is left, and then nothing is taken."""
        self._refill()
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def _refill(self) -> None:
        # A clock that jumps back adds no tokens.
        now = time.monotonic()
        self.tokens = min(MAX_BURST, self.tokens + max(0.0, now - self.last) * self.rate)
        self.last = now
''',
    "config/service.yaml": """# How the service runs in production.
service:
  name: limiter
  port: 8443
  workers: 6
storage:
  backend: redis
  ttl_seconds: 900
alerts:
  email: ops@example.org
""",
    "README.md": """# Limiter

A small service that answers whether a client may go on.

Run `make serve` to start it. Clients that are refused get status 429 and a `Retry-After` header.
The license is Apache 2.0.
""",
}
EXPENSES = {
    "expenses.csv": """date,employee,vendor,category,amount
2026-01-12,Lena Fox,Rail Direct,travel,84.50
2026-01-13,Jonas Ek,Bella Pasta,meals,46.00
2026-01-20,Lena Fox,Grand Hotel Oslo,lodging,412.00
2026-02-02,Priya Nair,Paper & Co,office,19.90
2026-02-14,Jonas Ek,Sky Airlines,travel,1290.00
""",
    "policy.md": """# Expense policy

| category | limit per item | approval |
|---|---|---|
| meals | 50 EUR | none |
| lodging | 200 EUR a night | team lead |
| travel | 1000 EUR | director |

Receipts are handed in within 30 days. Alcohol is never reimbursed.
""",
}
GERMAN = {
    "satzung.md": """# Satzung des Rudervereins Havel

## § 2 Mitgliedschaft

Mitglied kann werden, wer das zwölfte Lebensjahr vollendet hat. Über die Aufnahme entscheidet der Vorstand.

## § 3 Beiträge

Der Jahresbeitrag beträgt 96 Euro und ist bis zum 31. März fällig. Schüler und Studierende zahlen die Hälfte.

## § 4 Kündigung

Der Austritt ist schriftlich zu erklären. Die Kündigungsfrist beträgt sechs Wochen zum Jahresende.
""",
    "bootshaus.txt": """Das Bootshaus ist von April bis Oktober geöffnet.
Die Boote werden nach jeder Fahrt gereinigt.

Der Schlüssel liegt beim Bootswart, Herrn Albrecht.
""",
}
MUSEUM = {
    "visit.html": """
Visit the Clock Museum

Opening hours
Tuesday to Sunday 10:00 to 18:00
Closed on Mondays and on 25 December

Tickets
Adults 9 euros
Children under 12 free

The museum was founded in 1926 by the watchmaker Elsa Grün. Its oldest piece is a water clock
from the second century.
Dogs have to wait outside. Photography without flash is permitted.
""",
}

DEVELOPMENT: dict[str, dict[str, str | list[str]]] = {
    "recipes": {**RECIPES},
    "lease": {**LEASE},
    "logs": {**LOGS},
    "code": {**CODE},
    "expenses": {**EXPENSES},
    "german": {**GERMAN},
    "museum": {**MUSEUM},
}
DEVELOPMENT_CASES = (
    Case("recipes", "How many eggs do I need for pancakes?", ("3 eggs",)),
    Case("recipes", "How long does the batter rest?", ("15 minutes",)),
    Case("recipes", "Can I freeze the lentil soup?", ("must not be frozen",)),
    Case("recipes", "How long does the soup simmer and how long does it keep?", ("20 minutes", "three days")),
    Case("recipes", "How much sugar goes into the pancakes?"),
    Case("recipes", "Which wine goes well with the soup?"),
    Case("lease", "How much is the monthly rent?", ("850 euros",)),
    Case("lease", "What is the notice period for the tenant?", ("three months' notice",)),
    Case("lease", "Who is the landlord, and when is the rent due?", ("Hilda Brandt", "third working day")),
    Case("lease", "Am I allowed to have a barbecue on the balcony?", ("Barbecues on balconies are forbidden",)),
    Case("lease", "Where do I put my bicycle?", ("cellar",)),
    Case("lease", "How high is the electricity bill?"),
    Case("lease", "What is the penalty for late payment of the rent?"),
    Case("lease", "Who is the previous tenant?"),
    Case("logs", "Which order was left pending?", ("77120",)),
    Case("logs", "What should be done when the disk is full?", ("Delete rotated logs",)),
    Case("logs", "Who cleaned the volume /data?", ("mira",)),
    Case("logs", "Which version was started on amber?", ("4.2.1",)),
    Case("logs", "How many users were logged in?"),
    Case("logs", "What is the root password?"),
    Case("code", "On which port does the service listen?", ("port: 8443",)),
    Case("code", "How many requests may a client send at once?", ("Requests that a client may send at once",)),
    Case("code", "What status do refused clients get?", ("429",)),
    Case("code", "What is the value of MAX_BURST?", ("MAX_BURST = 40",)),
    Case("code", "What happens when the clock jumps back?", ("A clock that jumps back adds no tokens",)),
    Case("code", "Which database password does the service use?"),
    Case("code", "Who maintains the project?"),
    Case("expenses", "How much did Lena Fox spend at the Grand Hotel Oslo?", ("412.00",)),
    Case("expenses", "What is the limit for lodging?", ("200 EUR a night",)),
    Case("expenses", "Who approves travel?", ("director",)),
    Case("expenses", "When do receipts have to be handed in?", ("within 30 days",)),
    Case("expenses", "What did Priya Nair buy?", ("Paper & Co",)),
    Case("expenses", "What is the mileage rate for cars?"),
    Case("expenses", "How much did Tom Hill spend on travel?"),
    Case("german", "Wie hoch ist der Jahresbeitrag?", ("96 Euro",)),
    Case("german", "Welche Kündigungsfrist gilt?", ("sechs Wochen",)),
    Case("german", "Wann ist das Bootshaus geöffnet?", ("April bis Oktober",)),
    Case("german", "Wer hat den Schlüssel?", ("Albrecht",)),
    Case("german", "Wie viele Mitglieder hat der Verein?"),
    Case("german", "Was kostet ein Parkplatz?"),
    Case("museum", "When is the museum closed?", ("Closed on Mondays",)),
    Case("museum", "How much does a ticket for adults cost?", ("Adults 9 euros",)),
    Case("museum", "Who founded the museum?", ("Elsa Grün",)),
    Case("museum", "Is photography permitted?", ("Photography without flash is permitted",)),
    Case("museum", "What is the phone number of the museum?"),
    Case("museum", "How many visitors does the museum have each year?"),
)


def folder(case: Case) -> Folder:
    """The folder that a case asks about."""
    return Folder(FOLDERS[case.folder])


FOLDERS = {**DEVELOPMENT}
CASES = (*DEVELOPMENT_CASES,)
