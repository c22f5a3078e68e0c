"""The last small folders: the offline model met them once, and nothing was changed for them since. A measure, no target."""

from tests.providers.small_folders import Case

HELD_OUT: dict[str, dict[str, str | list[str]]] = {
    "school": {
        "handbook.md": """# Pupil handbook

Lessons begin at 8:10. The library is open until 16:30, on Fridays until 13:00.

## Absence

Parents report an absence by 8:00 on the same day, by phone or in the app. Longer absences need a doctor's note from the third day.

## Phones

Phones stay in the lockers during lessons. A teacher may allow them for research.

## Meals

Lunch costs 3.80 euros. Pupils order it by Thursday of the week before.
""",
        "clubs.csv": """club,day,room,leader
Chess,Monday,B12,Mr Osei
Robotics,Tuesday,Lab 2,Ms Varga
Choir,Thursday,Hall,Ms Lind
""",
    },
    "car": {
        "manual.txt": """TYRES

Check the tyre pressure once a month, when the tyres are cold. Front: 2.4 bar. Rear: 2.2 bar.

ENGINE OIL

Change the oil every 15,000 km or once a year. The engine takes 4.3 litres of 5W-30.

BATTERY

The battery is under the right front seat. Disconnect the negative terminal first.
""",
        "faults.json": """{
 "P0300": "Random misfire detected",
 "P0420": "Catalyst efficiency below threshold"
}
""",
    },
    "api": {
        "api.md": """# Payments API

Base address: `https://api.example.org/v2`

## Authentication

Send your key in the header `X-Api-Key`. Keys expire after 90 days.

## Limits

A client may make 600 requests per minute. Beyond that, the server answers with 429.

## Refunds

A payment can be refunded within 60 days. Partial refunds are possible. To refund a payment:

```http
POST /payments/{id}/refunds
```

## Webhooks

Webhooks are retried up to eight times with growing pauses. Each one is signed with HMAC-SHA256.
""",
    },
    "history": {
        "abbey.html": """
The abbey of Lorn
History
The abbey was founded in 1142 by monks from Clairvaux.
In 1536 it was dissolved and its lands were sold to Sir Thomas Vane.
A fire destroyed the roof in 1703; it was never rebuilt.
Visiting
Entry is free. Guided tours take 45 minutes and start at the gatehouse.
""",
    },
    "verein": {
        "protokoll.txt": """Protokoll der Mitgliederversammlung vom 3. Mai 2026

Anwesend waren 34 Mitglieder. Die Versammlung leitete Frau Kern.

Der Kassenbericht weist einen Überschuss von 1.250 Euro aus. Das Sommerfest findet am 18. Juli statt.

Zum neuen Kassenwart wurde Herr Demir gewählt. Der Antrag auf eine neue Satzung wurde abgelehnt.
""",
    },
}
HELD_OUT_CASES = (
    Case("school", "When do lessons begin?", ("8:10",)),
    Case("school", "How much is lunch?", ("3.80",)),
    Case("school", "Who leads the robotics club?", ("Ms Varga",)),
    Case("school", "In which room is chess?", ("B12",)),
    Case("school", "When do I need a doctor's note?", ("third day",)),
    Case("school", "Where do phones stay during lessons?", ("lockers",)),
    Case("school", "Which uniform do pupils wear?"),
    Case("school", "How many pupils attend the school?"),
    Case("school", "When are the summer holidays?"),
    Case("car", "How often should the oil be changed?", ("every 15,000 km",)),
    Case("car", "What is the tyre pressure at the front?", ("2.4 bar",)),
    Case("car", "Where is the battery?", ("right front seat",)),
    Case("car", "What does the fault P0420 mean?", ("Catalyst",)),
    Case("car", "How much oil does the engine take?", ("4.3 litres",)),
    Case("car", "How fast does the car go?"),
    Case("car", "What does a new battery cost?"),
    Case("car", "How do I replace a headlight?"),
    Case("api", "How many requests may a client make per minute?", ("600 requests",)),
    Case("api", "How do I refund a payment?", ("/refunds",)),
    Case("api", "When do keys expire, and how are webhooks signed?", ("90 days", "HMAC")),
    Case("api", "What is the base address?", ("api.example.org",)),
    Case("api", "How long after a payment is a refund possible?", ("60 days",)),
    Case("api", "Which currencies are supported?"),
    Case("api", "Is there a Python client?"),
    Case("history", "When was the abbey founded?", ("1142",)),
    Case("history", "Who bought the lands of the abbey?", ("Thomas Vane",)),
    Case("history", "What destroyed the roof?", ("A fire",)),
    Case("history", "How long does a guided tour take?", ("45 minutes",)),
    Case("history", "What does the entry cost?", ("free",)),
    Case("history", "How tall is the tower?"),
    Case("history", "Who is buried in the abbey?"),
    Case("verein", "Wer wurde zum Kassenwart gewählt?", ("Demir",)),
    Case("verein", "Wann ist das Sommerfest?", ("18. Juli",)),
    Case("verein", "Wie viele Mitglieder waren anwesend?", ("34 Mitglieder",)),
    Case("verein", "Wurde die neue Satzung angenommen?", ("abgelehnt",)),
    Case("verein", "Wie hoch ist der Überschuss?", ("1.250 Euro",)),
    Case("verein", "Wer ist der Schriftführer?"),
    Case("verein", "Was kostet das Vereinsheim?"),
)
