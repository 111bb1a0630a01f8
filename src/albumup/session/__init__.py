"""The work of the commands: queue an album, upload it or follow its uploader, verify it. Nothing
here prints."""
