"""Scorers: pure functions of texts, labels and ranks, one file a kind; they know nothing else.

The output comes first, then the target; a score is a float. Those that need nltk, rouge-score or
sacrebleu import it when they are called.
"""

from ipse.evaluation.scorers.labels import (
    absolute_error,
    label_accuracy,
    label_index,
    macro_f1,
    read_rating,
    rmse,
    squared_error,
)
from ipse.evaluation.scorers.personal import (
    Distance,
    Shared,
    degress,
    edp,
    egises,
    perseval,
    rouge_distance,
)
from ipse.evaluation.scorers.ranking import mrr, ndcg, recall, recall_all, recall_any
from ipse.evaluation.scorers.text import (
    bleu,
    chrf,
    corpus_bleu,
    edit_distance,
    edit_share,
    locomo_f1,
    meteor,
    rouge_1,
    rouge_l,
    token_f1,
)

__all__ = [
    "Distance",
    "Shared",
    "absolute_error",
    "bleu",
    "chrf",
    "corpus_bleu",
    "degress",
    "edit_distance",
    "edit_share",
    "edp",
    "egises",
    "label_accuracy",
    "label_index",
    "locomo_f1",
    "macro_f1",
    "meteor",
    "mrr",
    "ndcg",
    "perseval",
    "read_rating",
    "recall",
    "recall_all",
    "recall_any",
    "rmse",
    "rouge_1",
    "rouge_distance",
    "rouge_l",
    "squared_error",
    "token_f1",
]
