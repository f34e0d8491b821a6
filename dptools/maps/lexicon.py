"""Correct words by a list of names, such as a gazetteer."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from dptools.errors import UsageError
from dptools.maps.merging import normalised
from dptools.maps.scoring import edit_distance

LETTERS_PER_ERROR = 4
"""A word is corrected if at most one of this number of letters is wrong. Shorter words are never corrected."""


class Lexicon:
    """Names that occur on a map.

    Args:
        names: The names. The words of a name are looked up one by one. Case and outer punctuation are ignored.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._words = sorted({normalised(word) for name in names for word in name.split()} - {""})
        self._known = set(self._words)
        self._by_pair: dict[str, list[int]] = defaultdict(list)
        for index, word in enumerate(self._words):
            for pair in _pairs(word):
                self._by_pair[pair].append(index)

    def __len__(self) -> int:
        return len(self._words)

    def correct(self, text: str) -> str:
        """Return the nearest word of the lexicon, in the case of the text and with its outer punctuation.

        The text is returned unchanged if it is in the lexicon, if no word is near, or if several are equally near.
        """
        word = normalised(text)
        limit = len(word) // LETTERS_PER_ERROR
        if word in self._known or not limit:
            return text
        near = sorted((edit_distance(word, other), other) for other in self._similar(word, limit))
        if not near or near[0][0] > limit or (len(near) > 1 and near[1][0] == near[0][0]):
            return text
        start = text.casefold().index(word)
        return text[:start] + _in_case_of(text[start : start + len(word)], near[0][1]) + text[start + len(word) :]

    def _similar(self, word: str, limit: int) -> list[str]:
        """Return the words that can be within an edit distance, because they share enough pairs of letters."""
        shared = Counter(index for pair in _pairs(word) for index in self._by_pair.get(pair, ()))
        # One edit changes at most two pairs. Repeated pairs count once, so words with repetitions need fewer.
        needed = len(_pairs(word)) - 2 * limit
        return [self._words[index] for index, count in shared.items() if count >= needed]


def load_lexicon(path: Path) -> Lexicon:
    """Return the lexicon in a UTF-8 text file with one name per line.

    Raises:
        UsageError: The file cannot be read, is not UTF-8, or holds no name.
    """
    try:
        lexicon = Lexicon(path.read_text("utf-8-sig").splitlines())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8 text") from None
    if not len(lexicon):
        raise UsageError(f"{path}: no names in it")
    return lexicon


def _pairs(word: str) -> set[str]:
    """Return the pairs of neighbouring letters. The ends of the word count as letters."""
    padded = f"^{word}$"
    return {padded[index : index + 2] for index in range(len(padded) - 1)}


def _in_case_of(text: str, word: str) -> str:
    if len(text) > 1 and text.isupper():
        return word.upper()
    return word.capitalize() if text[:1].isupper() else word
