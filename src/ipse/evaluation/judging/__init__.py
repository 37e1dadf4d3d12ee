"""Models as judges of written answers: rubrics, verdicts, and how far judges agree."""
