"""record -> its summary, to be printed, shown in a notebook, or asked for one scalar."""

from __future__ import annotations

from collections.abc import Iterator

from ppl.report import notebook, tables
from ppl.report.record import Record
from ppl.values import dataclass


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary as text; iterating gives `(label, {statistic: value})` for every scalar."""

    record: Record
    everything: bool = False

    def __str__(self) -> str:
        return tables.as_text(self.record, self.everything)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return notebook.summary_html(self.record, self.everything)

    def __iter__(self) -> Iterator[tuple[str, dict[str, float]]]:
        for quantity in self.record.shown(self.everything):
            yield from tables.scalars(quantity)

    def __getitem__(self, label: str) -> dict[str, float]:
        """The statistics of one scalar, by its label: `summary["theta[Choate]"]`."""
        for name, statistics in self:
            if name == label:
                return statistics
        raise KeyError(label)
