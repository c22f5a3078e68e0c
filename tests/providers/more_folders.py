"""More small folders, written after the offline model could answer about the first ones: what it does on unknown ground."""

from tests.providers.small_folders import Case

CONTRACT = {
    "agreement.md": """# Consulting agreement

between **Norvik Ltd** ("Client") and **Dana Cole** ("Consultant")

## 1 Services

The Consultant reviews the Client's warehouse software and delivers a written report by 30 June 2026.

## 2 Fees

The Client pays 95 pounds per hour, up to a maximum of 120 hours. Invoices are payable within 14 days.

## 3 Confidentiality

Neither party discloses the other's business secrets. This duty survives the end of the agreement by five years.

## 4 Liability

The Consultant's liability is limited to the fees paid in the last six months. Lost profits are excluded.

## 5 Law

This agreement is governed by the law of Scotland.
""",
    "annex.txt": """Annex A: travel

Train tickets are reimbursed in second class. Flights need the Client's approval in advance.
Mileage: 0.45 pounds per mile.
""",
}
NETWORK = {
    "inventory.json": """{
  "hosts": [
    {
      "name": "gw-1",
      "role": "gateway",
      "address": "10.0.0.1",
      "memory_gb": 16
    },
    {
      "name": "db-2",
      "role": "database",
      "address": "10.0.4.7",
      "memory_gb": 128
    }
  ],
  "backup": {
    "schedule": "0 3 * * *",
    "keep_days": 45
  }
}
""",
    "ops.rst": """Operations manual
=================

Backups
-------

Backups run every night and are encrypted with the team's key. A restore is rehearsed once a quarter; the last
rehearsal took 42 minutes.

On-call
-------

The person on call answers within ten minutes. Hand-over is on Thursdays at noon.

Passwords
---------

Passwords are changed after every departure of a colleague and never sent by mail.
""",
}
BIRDS = {
    "birds.tsv": "species\tlength_cm\thabitat\teggs\nWren\t10\thedges\t6\nGrey heron\t95\tshallow water\t4\nSwift\t17\ttowns\t3\n",
    "guide.txt": """A FIELD GUIDE

The wren sings loudly for its size. Its song can be heard through the whole winter.

Swifts sleep in the air. They arrive in May and leave again at the beginning of August.

Herons stand still for hours; they eat fish, frogs and voles. A heron's nest is a platform of sticks in a tall tree.
""",
}
MINUTES = {
    "2026-04-minutes.md": """# Board meeting, 14 April 2026

Present: Ruth Odum (chair), Li Wei, Carlos Peña
Absent: Marta Lund

## Decisions

1. The office moves to Dock Street in September.
2. The price of the basic plan stays at 12 dollars a month until the end of the year.
3. Hiring is paused, except for support.

## Open

Li Wei looks into a cheaper payment provider and reports in May.

| task | owner | due |
|---|---|---|
| new lease | Carlos Peña | 30 June |
| pricing page | Marta Lund | 5 May |
""",
}
MEDICINE = {
    "leaflet.html": """
Patient leaflet: Calmodor 20 mg tablets

How to take it
Adults take one tablet in the evening with a glass of water.
Do not give Calmodor to children under 12 years.

Side effects
Common: drowsiness, dry mouth.
Rare: skin rash. See a doctor at once if you get a rash.

Storage
Keep below 25 degrees and out of the reach of children.
Do not use the tablets after the date on the box.
""",
}
GARTEN = {
    "pachtvertrag.txt": """Pachtvertrag für Kleingarten Nr. 17

Die Pacht beträgt 140 Euro im Jahr und wird zum 1. November gezahlt.

Hunde sind an der Leine zu führen. Das Halten von Hühnern ist nicht gestattet.

In der Mittagsruhe von 13 bis 15 Uhr ist Lärm zu vermeiden.
""",
    "wasser.csv": "monat;verbrauch_m3;ablesung_durch\nMai;12;Frau Yilmaz\nJuni;19;Herr Pohl\nJuli;27;Herr Pohl\n",
}
LIBRARY = {
    "storage.py": '''"""Keeps blobs on disk."""

CHUNK_BYTES = 65_536


def put(data: bytes) -> str:
    """Store a blob and return its digest. Storing the same blob twice changes nothing."""
    digest = sha256(data).hexdigest()
    path = folder() / digest[:2] / digest
    if not path.exists():
        # Written beside its place and renamed: a reader never sees half a blob.
        temporary = path.with_suffix(".part")
        temporary.write_bytes(data)
        temporary.replace(path)
    return digest


def delete(digest: str) -> None:
    """Remove a blob.

    Raises:
        KeyError: there is no such blob.
    """
''',
    "CHANGELOG.md": """# Changelog

## 2.1.0 (2026-05-02)

- Blobs can be deleted.
- Dropped support for Python 3.9.

## 2.0.0 (2025-11-20)

- Digests are SHA-256 now; MD5 is gone.
""",
}
NOTES = {
    "todo.txt": """Garden shed
paint: dark green, 2.5 litres left
hinges still squeak

Bike
front tyre 28 inch, pump to 4 bar
lock code is with Nora
""",
    "trip/plan.md": """# Trip to Bergen

**Dates:** 3 to 9 July
**Hotel:** Skuteviken Guesthouse, booked, breakfast included

- Ferry leaves Hirtshals at 20:00.
- Bring rain coats.
- The Fløibanen funicular costs 160 kroner there and back.
""",
}

UNSEEN: dict[str, dict[str, str | list[str]]] = {
    "contract": {**CONTRACT},
    "network": {**NETWORK},
    "birds": {**BIRDS},
    "minutes": {**MINUTES},
    "medicine": {**MEDICINE},
    "garten": {**GARTEN},
    "library": {**LIBRARY},
    "notes": {**NOTES},
    "report": {
        "report.pdf": [
            "Annual report 2025\n\nRevenue rose by 8 percent to 41 million kronor. The fleet grew to 63 vessels.",
            "Safety\n\nThere were two accidents, none of them fatal. Every crew\nmember takes part in a fire drill each month.",
        ]
    },
}
UNSEEN_CASES = (
    Case("contract", "What does the consultant earn per hour?", ("95 pounds per hour",)),
    Case("contract", "When is the report due?", ("30 June 2026",)),
    Case("contract", "Which law governs the agreement?", ("law of Scotland",)),
    Case("contract", "How long does the duty of confidentiality last?", ("five years",)),
    Case(
        "contract",
        "What is the mileage rate, and what class of train ticket is reimbursed?",
        ("0.45 pounds", "second class"),
    ),
    Case("contract", "What is the Consultant's liability limited to?", ("limited to the fees",)),
    Case("contract", "Is there a penalty for late delivery?"),
    Case("contract", "How many days of vacation does the consultant have?"),
    Case("contract", "Who owns the copyright in the report?"),
    Case("network", "What is the address of the database host?", ("10.0.4.7",)),
    Case("network", "How many days are backups kept?", ("keep_days",)),
    Case("network", "How often is a restore rehearsed?", ("once a quarter",)),
    Case("network", "When is the hand-over of the on-call duty?", ("Thursdays at noon",)),
    Case("network", "Which firewall vendor do we use?"),
    Case("network", "What is the salary of the administrator?"),
    Case("birds", "How long is a grey heron?", ("Grey heron\t95",)),
    Case("birds", "When do swifts arrive?", ("arrive in May",)),
    Case("birds", "What do herons eat?", ("fish, frogs and voles",)),
    Case("birds", "How many eggs does a wren lay?", ("Wren\t10\thedges\t6",)),
    Case("birds", "What does the cuckoo eat?"),
    Case("birds", "How fast can a swift fly?"),
    Case("minutes", "Who was absent?", ("Marta Lund",)),
    Case("minutes", "Where does the office move?", ("Dock Street",)),
    Case("minutes", "What did the board decide about hiring?", ("Hiring is paused",)),
    Case("minutes", "Who owns the new lease and when is the pricing page due?", ("Carlos Peña", "5 May")),
    Case("minutes", "How large was the profit last year?"),
    Case("minutes", "Who is the auditor?"),
    Case("medicine", "How many tablets do adults take?", ("one tablet in the evening",)),
    Case("medicine", "What are the common side effects?", ("drowsiness, dry mouth",)),
    Case("medicine", "At which temperature should it be stored?", ("below 25 degrees",)),
    Case("medicine", "May children take Calmodor?", ("children under 12",)),
    Case("medicine", "How much does a box cost?"),
    Case("medicine", "Can it be taken during pregnancy?"),
    Case("garten", "Wie hoch ist die Pacht?", ("140 Euro",)),
    Case("garten", "Darf man Hühner halten?", ("Hühnern ist nicht gestattet",)),
    Case("garten", "Wer hat im Juni abgelesen?", ("Juni;19;Herr Pohl",)),
    Case("garten", "Wie hoch darf die Hecke sein?"),
    Case("garten", "Wie heißt der Vorsitzende?"),
    Case("library", "What happens when the same blob is stored twice?", ("changes nothing",)),
    Case("library", "How large is a chunk?", ("CHUNK_BYTES",)),
    Case("library", "Which error is raised when there is no such blob?", ("KeyError",)),
    Case("library", "Which Python version is no longer supported?", ("Dropped support for Python 3.9",)),
    Case("library", "How are blobs compressed?"),
    Case("library", "Which license does it have?"),
    Case("notes", "Who has the code of the lock?", ("Nora",)),
    Case("notes", "When does the ferry leave?", ("20:00",)),
    Case("notes", "Which hotel is booked in Bergen?", ("Skuteviken",)),
    Case("notes", "How much is the funicular?", ("160 kroner",)),
    Case("notes", "When does the flight leave?"),
    Case("notes", "Where is the car parked?"),
    Case("report", "By how much did revenue rise?", ("8 percent",)),
    Case("report", "How many accidents were there?", ("two accidents",)),
    Case("report", "How many vessels are in the fleet?", ("63 vessels",)),
    Case("report", "Who is the chief executive?"),
    Case("report", "What was the dividend per share?"),
)
