"""A page becomes reviewed words: intake, reading, review, duplicates, export."""
