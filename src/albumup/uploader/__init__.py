"""The engine: one uploader per journal claims, sends and records; others join it."""
