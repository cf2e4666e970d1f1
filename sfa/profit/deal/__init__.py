"""What one deal earns."""
