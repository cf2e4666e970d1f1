"""What must hold, one promise a file; each raises `Failed` in words."""
