"""What a campaign left: tables, figures and one page of it."""
