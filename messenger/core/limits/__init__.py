"""How often anybody may do a thing: the one place that counts (gcra.py says how, limits.py what for whom)."""
