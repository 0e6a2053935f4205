"""matplotlib's plots of the pairs as pictures for the page."""

from __future__ import annotations

import base64
import io

from evaluators.presentation.documents.collection import Collection

WORDS = {
    "curves": "Cons@k and Pass@k against k, with 95 % bands",
    "flips": "change of every question's accuracy, and what became of its vote",
    "choosers": "accuracy against tokens for every way to choose among the samples",
    "length": "generated tokens of right and wrong samples",
    "entropy": "entropy before and after each reflection",
}


def plot_images(collection: Collection) -> list[dict[str, str]]:
    """Every plot of every pair that can be compared. Raises SRGenError where matplotlib is not installed."""
    from evaluators.presentation.plots import plots  # an extra, and slow to import

    if not all(collection.summaries):
        return []
    images = []
    pairs = list(collection.pairs.values())
    for pair in pairs:
        if pair.comparison is None:
            continue
        folders = [collection.runs[run].directory for run in (pair.base, pair.other)]
        names = f"{collection.names[pair.base]} and {collection.names[pair.other]}" if len(pairs) > 1 else ""
        for name, figure in plots(pair.comparison, *folders).items():
            picture = io.BytesIO()
            figure.savefig(picture, format="svg", metadata={"Date": None})
            uri = "data:image/svg+xml;base64," + base64.b64encode(picture.getvalue()).decode()
            images.append({"words": ": ".join(filter(None, (names, WORDS.get(name, name)))), "image": uri})
    return images
