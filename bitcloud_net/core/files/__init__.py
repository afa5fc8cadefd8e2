"""The bytes of a stored file: sealed, coded, hashed, named, and how likely they survive."""
