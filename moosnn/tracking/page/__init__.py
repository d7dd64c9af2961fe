"""The page of a report: what it shows, computed here, and how it is shown."""
