"""Pages that open on their result, each in one file: of a run, of a campaign, of a fit."""
