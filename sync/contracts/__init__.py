"""What each contract version knows, one committed description a version; `sync.versions` reads them (S32)."""
