"""The notebook of an account without connection: what its driver reads and writes instead of calling a lock app."""

from collections.abc import Sequence
from dataclasses import dataclass

from lockbridge.accounts.keeping import Keeping
from lockbridge.contract import CodeState, Receipt, SeenCode
from lockbridge.domain.code import CodeSpec
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.storage import notes
from lockbridge.workflows import notebook
from lockbridge.workflows.notebook import Account
from lockbridge.workflows.ports import transact

_STATES = {notes.TO_SET: CodeState.SETTING, notes.SET: CodeState.SET, notes.TO_REMOVE: CodeState.REMOVING}


@dataclass(frozen=True, slots=True)
class AccountNotebook:
    """One account's notebook; the driver calls it without saying when."""

    account: Account
    keeping: Keeping

    async def codes(self, lock: LockRef) -> Sequence[SeenCode]:
        """What is or should be at the keypad, by what people said."""
        rows = await self.keeping.database.ask(notes.of_lock, self.keeping.vault, self.account.app, lock)
        return [SeenCode(CodeRef(str(row.id)), row.pin, row.name, row.window, _STATES[row.state]) for row in rows]

    async def ask_to_set(self, lock: LockRef, spec: CodeSpec) -> CodeRef:
        """Have the host program a code."""
        now, vault = self.keeping.clock.now(), self.keeping.vault
        return await transact(self.keeping, lambda c: notebook.ask_to_set(c, vault, self.account, lock, spec, now))

    async def ask_to_remove(self, lock: LockRef, ref: CodeRef) -> Receipt:
        """Have the host take a code off. Raises CodeGone."""
        now, vault = self.keeping.clock.now(), self.keeping.vault
        return await transact(self.keeping, lambda c: notebook.ask_to_remove(c, vault, self.account, lock, ref, now))
