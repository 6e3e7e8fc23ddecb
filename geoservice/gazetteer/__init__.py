"""The gazetteer: divisions and their history, names of places, addresses, postal codes. No HTTP here."""
