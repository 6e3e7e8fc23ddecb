"""The live situation: what goes on where, who is there, what officers plotted; and exercises apart from all that."""
