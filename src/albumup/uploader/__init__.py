"""The engine: one uploader per journal sends photos and records the outcomes; other invocations
join it."""
