"""What `python -m fastraw` is made of."""
