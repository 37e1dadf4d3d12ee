"""Learning: jobs in, arrays out, many people's in one batch."""
