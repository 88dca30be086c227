"""What a long or a shared run needs and no lesson is about."""
