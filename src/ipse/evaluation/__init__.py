"""Evaluation: does a method help, does it help because of the person, and at what cost?"""
