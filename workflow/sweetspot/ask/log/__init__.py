"""A log's requests in the order of arrival, and what to doubt of them; logs/ reads its lines."""
