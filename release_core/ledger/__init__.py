"""Takes decisions and gives them back unchanged: an append-only, hash-chained record of who decided what, and why.

A record holds the evidence that was seen. An edit, a gap, a swap or an insertion breaks the chain; a cut end
or a full rewrite shows against a head (`Ledger.head`) that was published elsewhere.
"""

from release_core.ledger.book import Ledger
from release_core.ledger.brought import brought, known
from release_core.ledger.canonical import canonical_json, evidence, evidence_hash
from release_core.ledger.chain import GENESIS, Check, Record, check_chain
from release_core.ledger.decisions import DECISIONS, REPEATED, Needs, allowed, read_verdict
from release_core.ledger.drills import Drill, drills, latest_drill, record_drill
from release_core.ledger.in_force import Opening, Standing, attempt, go_signed, opening, standing
from release_core.ledger.sign_off import RollbackRequest, code_version, roll_back, sign
from release_core.ledger.signature import Acceptance, Override, SignOff, SignOffRequest, Waiver

__all__ = [
    "DECISIONS",
    "GENESIS",
    "REPEATED",
    "Acceptance",
    "Check",
    "Drill",
    "Ledger",
    "Needs",
    "Opening",
    "Override",
    "Record",
    "RollbackRequest",
    "SignOff",
    "SignOffRequest",
    "Standing",
    "Waiver",
    "allowed",
    "attempt",
    "brought",
    "canonical_json",
    "check_chain",
    "code_version",
    "drills",
    "evidence",
    "evidence_hash",
    "go_signed",
    "known",
    "latest_drill",
    "opening",
    "read_verdict",
    "record_drill",
    "roll_back",
    "sign",
    "standing",
]
