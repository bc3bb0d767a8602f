"""From clips to what training reads."""
