"""What the router is made of: patterns, the tree of their segments, matches, declarations."""
