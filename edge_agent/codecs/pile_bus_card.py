"""A card's number in parts, and whole again."""

from edge_agent.codecs.pile_bus import PART_CHARACTERS
from edge_agent.codecs.pile_bus_messages import CARD_CHARACTERS_MOST, Card, CardPart

TAPS = 16


def split_card(node: int, tap: int, number: str) -> list[CardPart]:
    """The parts in which a pile reports a card.

    Raises:
        ValueError: no number, or more than 16 characters.
    """
    if not 1 <= len(number) <= CARD_CHARACTERS_MOST:
        raise ValueError(f"a card's number has 1 to {CARD_CHARACTERS_MOST} characters")
    texts = [number[at : at + PART_CHARACTERS] for at in range(0, len(number), PART_CHARACTERS)]
    return [CardPart(node, tap % TAPS, part, len(texts), text) for part, text in enumerate(texts)]


class CardReader:
    """Puts the parts of one pile's cards together; parts of different taps are never mixed."""

    def __init__(self) -> None:
        self._tap: tuple[int, int] | None = None
        self._texts: dict[int, str] = {}

    def take(self, part: CardPart) -> Card | None:
        """The card, when this was its last missing part."""
        tap = (part.tap, part.parts)
        if tap != self._tap:
            self._tap, self._texts = tap, {}
        self._texts[part.part] = part.text
        if len(self._texts) < part.parts:
            return None
        number = "".join(self._texts[at] for at in range(part.parts))
        self._tap = None
        return Card(part.node, number)
