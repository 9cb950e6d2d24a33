"""Creators: ways of making prompts."""
