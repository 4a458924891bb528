"""What a guest is told: whose words, in which language, filled with what is true of the stay now (R34)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from sqlalchemy import Connection

from lockbridge.domain.code import Pin
from lockbridge.domain.ids import LockId, PlacementId
from lockbridge.domain.messages import DoorCode, GuestMessage, StayFacts, codes_in
from lockbridge.messaging.render import FALLBACK_LANGUAGE, Renderer, Text
from lockbridge.storage import codes, hosts, locks
from lockbridge.storage.codes import Placed
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.rules import Texts, Written
from lockbridge.storage.stays import StayRow
from lockbridge.workflows.ports import Tools


@dataclass(frozen=True, slots=True)
class Doors:
    """What the guest of a stay can type where, as far as it is decided."""

    own: Sequence[Placed]
    backups: Sequence[Placed]
    names: Mapping[LockId, str]
    staff: tuple[DoorCode, ...] = ()
    """The codes of staff on these locks."""

    @property
    def ready(self) -> bool:
        """Whether the stay's own code is confirmed on every lock it should be on."""
        return bool(self.own) and all(item.placement.confirmed for item in self.own)

    def codes(self, only: frozenset[PlacementId] | None = None) -> tuple[DoorCode, ...]:
        """What to type on each lock; ``only`` picks some placements.

        Where a backup was given and the stay's own code is not on the lock, the backup alone is what opens.
        """
        helped = {item.placement.lock for item in self.backups}
        own = [(item, False) for item in self.own if item.placement.confirmed or item.placement.lock not in helped]
        given = [(item, True) for item in self.backups]
        return tuple(
            DoorCode(self.names[item.placement.lock], item.placement.pin, is_backup, item.placement.confirmed)
            for item, is_backup in (*own, *given)
            if item.placement.pin is not None and (only is None or item.placement.id in only)
        )

    @property
    def owed(self) -> frozenset[PlacementId]:
        """Which codes the guest needs to know: the stay's own, save where a backup stands in for it."""
        helped = {item.placement.lock for item in self.backups}
        return frozenset(
            item.placement.id
            for item in self.own
            if item.placement.pin is not None and (item.placement.confirmed or item.placement.lock not in helped)
        )

    def pins(self) -> dict[PlacementId, Pin]:
        """Every PIN that a text could give away."""
        return {
            item.placement.id: item.placement.pin
            for item in (*self.own, *self.backups)
            if item.placement.pin is not None
        }

    def indexes(self) -> dict[PlacementId, bytes]:
        """The same PINs as they are noted down: by index."""
        found = {item.placement.id: item.pin_index for item in (*self.own, *self.backups)}
        return {key: index for key, index in found.items() if index is not None}


def doors_of(connection: Connection, tools: Tools, stay: StayRow, *, staff: bool = False) -> Doors:
    """What the guest of a stay can type where; ``staff``: and the staff of its property."""
    placed = codes.placements_of(connection, tools.vault, [stay.code]).get(stay.code, []) if stay.code else []
    own = [item for item in placed if item.placement.ended is None]
    backups = codes.backups_given_to(connection, tools.vault, [stay.id]).get(stay.id, [])
    rows = locks.by_ids(connection, {item.placement.lock for item in (*own, *backups)})
    names = {key: row.name for key, row in rows.items()}
    return Doors(own, backups, names, _staff_codes(connection, tools, stay) if staff else ())


def _staff_codes(connection: Connection, tools: Tools, stay: StayRow) -> tuple[DoorCode, ...]:
    """The staff code at a stay's property (R34): where there are several, the oldest."""
    matched = {lock for _, lock in hosts.matches(connection, [stay.property] if stay.property is not None else [])}
    placed = codes.staff_on(connection, tools.vault, matched)
    rows = locks.by_ids(connection, {item.placement.lock for item in placed})
    return tuple(
        DoorCode(rows[item.placement.lock].name, item.placement.pin)
        for item in placed
        if item.placement.pin is not None and item.placement.code == placed[0].placement.code
    )


def speak_of_staff(texts: Texts) -> bool:
    """Whether any of a host's own texts tells the staff code."""
    every = (text for by_language in texts.values() for text in by_language.values())
    return any("%operations_smartlock_code%" in f"{text.subject}{text.body}" for text in every)


def stay_facts(
    stay: StayRow, place: PropertyRow, doors: Doors, only: frozenset[PlacementId] | None = None, page: str = ""
) -> StayFacts:
    """Everything a message about a stay may say; ``page`` is the address of the guest's page."""
    return StayFacts(
        guest_name=stay.guest_name or "",
        guest_first_name=stay.guest_first_name or "",
        phone=stay.contact.phone,
        property_name=place.name,
        check_in=_wall(stay.arrival, stay.host_check_in or stay.check_in or place.check_in),
        check_out=_wall(stay.departure, stay.host_check_out or stay.check_out or place.check_out),
        zone=place.zone,
        doors=doors.codes(only),
        staff=doors.staff,
        page=page,
        language=stay.language or place.language or FALLBACK_LANGUAGE,
    )


def _wall(day: date, at: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(at))


_CODES = {
    GuestMessage.ACCESS_CODE: frozenset({"smartlock_code"}),
    GuestMessage.CORRECTION: frozenset({"smartlock_code"}),
    GuestMessage.EXTENDED: frozenset({"smartlock_code"}),
    GuestMessage.BACKUP_CODE: frozenset({"backup_code"}),
}
"""Which digits the texts that come with the program tell."""


@dataclass(frozen=True, slots=True)
class Words:
    """A text in one language before anything is filled in: one that comes with the program, or the host's own."""

    source: GuestMessage | Written
    language: str

    @property
    def codes(self) -> frozenset[str]:
        """The short codes in it that stand for digits a guest types."""
        if isinstance(self.source, Written):
            return codes_in(f"{self.source.subject}\n{self.source.body}")
        return _CODES.get(self.source, frozenset())

    @property
    def names_page(self) -> bool:
        """Whether it tells the address of the guest's page."""
        return isinstance(self.source, Written) and "%guest_page%" in f"{self.source.subject}{self.source.body}"

    def filled(self, renderer: Renderer, facts: StayFacts) -> Text:
        """The text about a stay."""
        if isinstance(self.source, Written):
            return renderer.render_written(self.source.subject, self.source.body, self.language, facts)
        return renderer.render_guest(self.source, self.language, facts)


def words(renderer: Renderer, texts: Texts, template: str, wanted: Sequence[str | None]) -> Words | None:
    """The text of a name, the host's own before ours; None: there is none of this name.

    In the first of the ``wanted`` languages (the guest's, the rule's, the property's, the host's) there is, else in
    English, else in any.
    """
    languages = list(dict.fromkeys(_spoken((*wanted, FALLBACK_LANGUAGE))))
    if own := texts.get(template):
        language = next((each for each in languages if each in own), next(iter(own)))
        return Words(own[language], language)
    if template not in set(GuestMessage):
        return None
    language = next((each for each in languages if renderer.speaks(each)), FALLBACK_LANGUAGE)
    return Words(GuestMessage(template), language)


def _spoken(wanted: Sequence[str | None]) -> Iterator[str]:
    """Each language, and after a regional one its language (``pt-BR``, ``pt``)."""
    for language in filter(None, wanted):
        plain = language.replace("_", "-").casefold()
        yield from (language, plain, plain.partition("-")[0])


def one_paragraph(text: Text) -> str:
    """The text as an SMS: without its subject, all on one line."""
    return " ".join(text.text.split())
