"""The wordlist world: verifiable writing instructions in a small English micro-language."""
