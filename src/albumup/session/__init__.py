"""What commands do: queue an album, upload it or follow who does, verify it. Typed in and out; nothing here prints."""
