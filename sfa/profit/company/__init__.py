"""What customers, products, people and campaigns earn."""
