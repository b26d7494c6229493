"""Pure scoring rules: prompts as token ids, truncation, duplicates, order. No engine and no HTTP in here."""
