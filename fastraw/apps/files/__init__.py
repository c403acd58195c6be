"""What StaticFiles is made of."""
