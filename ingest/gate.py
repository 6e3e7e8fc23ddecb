"""The gate: a layer may declare how many errors a load can have before it is refused as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.job import Finding, IngestPlan, ReadSummary
from layers.checks import Gate, allowed
from layers.errors import GateClosed


def enforce(plan: IngestPlan, summary: ReadSummary, refused: int) -> None:
    """Refuse a load that has more errors than its layer allows.

    Args:
        plan: What is loaded; its layer declares the gate.
        summary: What the reader found; rates refer to the rows read without those not selected.
        refused: Rows that would go to quarantine.

    Raises:
        GateClosed: With the findings in its facts.
    """
    gate: Gate | None = getattr(plan.layer, "gate", None)
    if gate is None:
        return
    reasons = list(_breaches(gate, summary, refused))
    if not reasons:
        return
    findings = [finding.model_dump(mode="json") for finding in summary.findings]
    raise GateClosed(
        f"{plan.source.name} was refused as a whole by the gate of layer {plan.layer.id}: {'; '.join(reasons)}. "
        "Nothing was changed.",
        layer=plan.layer.id,
        source=plan.source.name,
        read=summary.read,
        quarantined=refused,
        findings=findings,
    )


def _breaches(gate: Gate, summary: ReadSummary, refused: int) -> Iterator[str]:
    judged = summary.read - summary.not_selected
    if gate.errors is not None and refused > allowed(gate.errors, judged):
        yield f"{refused} of {judged} rows have errors, where {gate.errors} are allowed"
    for rule, allowance in gate.rules.items():
        count = _count(summary.findings, rule)
        if count > allowed(allowance, judged):
            yield f"{count} breaches of {rule}, where {allowance} are allowed"


def _count(findings: tuple[Finding, ...], rule: str) -> int:
    return sum(finding.count for finding in findings if finding.rule == rule)
