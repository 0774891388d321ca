"""Circuit."""
