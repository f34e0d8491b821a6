"""Correct words by a list of names, such as a gazetteer."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from dptools.errors import UsageError
from dptools.maps.merging import without_outer_punctuation
from dptools.maps.scoring import edit_distance

LETTERS_PER_ERROR = 4
"""A word is corrected if at most one of this number of letters is wrong. Shorter words are never corrected."""


class Lexicon:
    """Names that occur on a map.

    Args:
        names: The names. The words of a name are looked up one by one. Case and outer punctuation are ignored.
    """

    def __init__(self, names: Iterable[str]) -> None:
        words = (without_outer_punctuation(word) for name in names for word in name.split())
        self._spelling = {word.casefold(): word for word in words if word}
        self._words = sorted(self._spelling)
        self._by_pair: dict[str, list[int]] = defaultdict(list)
        for index, word in enumerate(self._words):
            for pair in _pairs(word):
                self._by_pair[pair].append(index)

    def __len__(self) -> int:
        return len(self._words)

    def correct(self, text: str) -> str:
        """Return the nearest word of the lexicon, with the outer punctuation of the text.

        The word keeps its spelling if that has letters of both cases and the text is not in upper case. Otherwise, it
        is returned in the case of the text.
        The text is returned unchanged if it is in the lexicon, if no word is near, or if several are equally near.
        """
        core = without_outer_punctuation(text)
        word = core.casefold()
        limit = len(word) // LETTERS_PER_ERROR
        if word in self._spelling or not limit:
            return text
        near = sorted((edit_distance(word, other), other) for other in self._similar(word, limit))
        if not near or near[0][0] > limit or (len(near) > 1 and near[1][0] == near[0][0]):
            return text
        before, _, after = text.partition(core)
        return before + _in_case_of(core, self._spelling[near[0][1]]) + after

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
    if not (word.isupper() or word.islower()):
        return word
    return word.capitalize() if text[:1].isupper() else word.lower()
