"""The live situation: what is going on where, who is there, what officers plotted; and exercises apart from all that."""
