"""The embedded source and how it was made: corpus, small encoders, pretraining, comparison."""
