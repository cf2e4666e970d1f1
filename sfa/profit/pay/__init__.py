"""What people are paid of what they earned."""
