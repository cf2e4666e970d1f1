"""The sales core (bottom) and the application (top); importing it pulls in nothing."""
