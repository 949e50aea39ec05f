"""The studio: one server for the page, for programs, and for both the same `/api/v1`."""
