"""How good a scorer is on labelled texts: rows in, figures with intervals out."""
