"""Advice: energy along the output length, and what would save some of it, each with how sure."""
