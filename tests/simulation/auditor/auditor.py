"""The auditor: looks at every commit, and at everything in the end."""

from collections.abc import Callable

from tests.simulation.auditor.books import Books
from tests.simulation.auditor.charges import Charges
from tests.simulation.auditor.cycles import Cycles
from tests.simulation.auditor.defaults import Defaults
from tests.simulation.auditor.money import Money
from tests.simulation.auditor.partners import Partners
from tests.simulation.auditor.rows import Source
from tests.simulation.auditor.steps import Steps
from tests.simulation.auditor.testimony import Testimony

CYCLES_EVERY = 50


class Auditor:
    """`wrong` is told what is wrong, `voided` which holds were given back, `reach` what came about."""

    def __init__(
        self,
        path: str,
        *,
        wrong: Callable[[str], None],
        voided: Callable[[str], None],
        reach: Callable[[str], None],
    ) -> None:
        self._source = Source(path, wrong)
        self._books, self._steps = Books(self._source, voided), Steps(self._source, reach)
        self._cycles = Cycles(self._source, Testimony())
        self._commits = 0

    def step(self) -> None:
        """Something was just committed."""
        self._commits += 1
        self._books.step()
        self._steps.step()
        if self._commits % CYCLES_EVERY == 0:
            self._cycles.step()

    def end(self, said: Testimony) -> None:
        """Calm has returned, and everybody was heard."""
        self._books.end()
        self._steps.step()
        self._steps.end()
        self._cycles.said = said
        self._cycles.end()
        Defaults(self._source).end()
        Charges(self._source, said).end()
        Money(self._source, said, self._books).end()
        Partners(self._source, said).end()

    def session_of(self, authorization_id: str) -> str | None:
        """Which session an authorization is for."""
        rows = self._source.rows(
            "SELECT session_id FROM authorization WHERE authorization_id = ?", authorization_id
        )
        return str(rows[0]["session_id"]) if rows else None

    def close(self) -> None:
        """Look no more."""
        self._source.close()
