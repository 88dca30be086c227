"""What surrounds a lesson: exercises and their checkers, widgets, progress, annotations."""
