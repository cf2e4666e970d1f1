"""How what was sent reaches people: mail, reminders, what comes back."""
