"""Who is believed: mined identities, certificates, lots, audits, verdicts, random values."""
