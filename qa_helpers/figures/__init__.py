"""The lessons' figures: one style, one colour for each meaning, a file for each group of lessons."""
