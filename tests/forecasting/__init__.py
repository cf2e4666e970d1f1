"""What will be sold, and why that is what the roll-up says."""
