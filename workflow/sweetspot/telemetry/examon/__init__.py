"""What ExaMon keeps: samples back from its database, KairosDB."""
