"""Names for identities, so that a lock's number is never taken for a stay's.

The plain numbers are lockbridge's own; the ``…Ref`` strings belong to somebody else's system.
"""

from typing import NewType

HostId = NewType("HostId", int)
PropertyId = NewType("PropertyId", int)
LockAppId = NewType("LockAppId", int)
LockId = NewType("LockId", int)
StayId = NewType("StayId", int)
CodeId = NewType("CodeId", int)
PlacementId = NewType("PlacementId", int)
MessageId = NewType("MessageId", int)
DeliveryId = NewType("DeliveryId", int)
EndpointId = NewType("EndpointId", int)
NoteId = NewType("NoteId", int)
SourceId = NewType("SourceId", int)
PersonId = NewType("PersonId", int)
SignInId = NewType("SignInId", int)
ApiKeyId = NewType("ApiKeyId", int)
TaskId = NewType("TaskId", int)

LockRef = NewType("LockRef", str)
"""How a lock app names one of its locks."""
CodeRef = NewType("CodeRef", str)
"""How a lock app names one code on one of its locks (a slot number, an id, …)."""
