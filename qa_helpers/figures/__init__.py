"""The lessons' figures: one style, a file per lesson that has them."""
