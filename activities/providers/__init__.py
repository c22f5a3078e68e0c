"""One module per provider family, behind one Protocol (``base``). Loaded by the model pools only."""
