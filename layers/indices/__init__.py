"""Environmental indices by published formulas: values in, a class and its explanation out. Pure, by edition."""
