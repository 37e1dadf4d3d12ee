"""Ipse: one language model, everyone's own."""
