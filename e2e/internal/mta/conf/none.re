# (no domain)
