"""What the course needs but no lesson is about: long runs, several processes, files and progress bars."""
