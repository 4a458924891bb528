"""Who works for the host: members, their roles, and open invitations. For owners."""

from fastapi import APIRouter
from fastapi.responses import Response

from lockbridge.domain.ids import PersonId
from lockbridge.domain.people import MEMBER_ROLES
from lockbridge.storage import people
from lockbridge.storage.people import Member
from lockbridge.web.desk import Desk, NotHere, Owning
from lockbridge.workflows import people as working
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.people import INVITATION, Invitee
from lockbridge.workflows.ports import transact

router = APIRouter()


@router.get("/members")
async def show(desk: Owning) -> Response:
    """The lists."""
    return await _page(desk)


async def _page(desk: Desk, *, error: str = "", status: int = 200) -> Response:
    ask, vault = desk.services.database.ask, desk.services.vault
    context = {
        "part": "settings",
        "members": await ask(people.members, vault, desk.host),
        "invitations": await ask(people.open_tickets, vault, desk.host, INVITATION, desk.now),
        "roles": [(role.value, role.value) for role in MEMBER_ROLES],
        "email": desk.text("email"),
        "role": desk.text("role") or "manager",
        "error": error,
    }
    return desk.page("console/settings/members.html", context, status=status)


async def _member(desk: Desk, person: int) -> Member:
    """The member a form is about. Raises NotHere."""
    every = await desk.services.database.ask(people.members, desk.services.vault, desk.host)
    found = next((member for member in every if member.person.id == person), None)
    if found is None:
        raise NotHere
    return found


@router.post("/members/invite")
async def invite(desk: Owning) -> Response:
    """Send an invitation."""
    try:
        who = Invitee(desk.text("email"), working.member_role(desk.text("role")))
        await working.invite(desk.services, desk.row, desk.person.name, who, desk.site.url, desk.now)
    except BadInput as error:
        return await _page(desk, error=str(error), status=422)
    await desk.note("invited somebody", f"as {who.role.value}")
    return desk.go(f"{desk.base}/settings/members", "The invitation is on its way; it can be accepted for seven days.")


@router.post("/members/{person}/role")
async def change_role(desk: Owning, person: int) -> Response:
    """Make somebody something else."""
    member = await _member(desk, person)
    try:
        role = working.member_role(desk.text("role"))
        await working.change_role(desk.services, desk.host, PersonId(person), role, desk.now)
    except BadInput as error:
        return await _page(desk, error=str(error), status=422)
    await desk.note(f"made {member.person.name} {role.value}", f"person {person}", f"was {member.role.value}")
    return desk.go(f"{desk.base}/settings/members", f"{member.person.name} is {role.value} now.")


@router.post("/members/{person}/remove")
async def remove(desk: Owning, person: int) -> Response:
    """Take somebody off the host."""
    member = await _member(desk, person)
    try:
        await working.remove(desk.services, desk.host, PersonId(person))
    except BadInput as error:
        return await _page(desk, error=str(error), status=422)
    await desk.note(f"took {member.person.name} off the host", f"person {person}", f"was {member.role.value}")
    if person == desk.person.id:
        return desk.go("/console", "You do not work there any more.")
    return desk.go(f"{desk.base}/settings/members", f"{member.person.name} does not work here any more.")


@router.post("/invitations/{ticket}/withdraw")
async def withdraw(desk: Owning, ticket: int) -> Response:
    """Make an invitation useless."""
    every = await desk.services.database.ask(people.open_tickets, desk.services.vault, desk.host, INVITATION, desk.now)
    if ticket not in {each.id for each in every}:
        raise NotHere
    await transact(desk.services, lambda c: people.withdraw_ticket(c, desk.host, ticket))
    await desk.note("withdrew an invitation", f"invitation {ticket}")
    return desk.go(f"{desk.base}/settings/members", "The invitation is withdrawn: its link is of no use any more.")
