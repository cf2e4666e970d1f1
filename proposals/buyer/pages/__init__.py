"""The prospect's page as files: templates, one style sheet, small scripts, and the words of `locales/`."""
