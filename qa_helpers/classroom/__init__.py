"""What the lessons use around the core: exercises and their checkers, widgets, progress, annotations."""
