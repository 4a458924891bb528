"""The templates in every language: complete, natural in their dates, and never to be taken for a code."""

import re
from datetime import date, datetime, time, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import meta

from lockbridge.domain.code import Pin
from lockbridge.domain.messages import DoorCode, GuestMessage, StayFacts, pins_told
from lockbridge.messaging.render import Renderer
from lockbridge.messaging.sms import MOST_SEGMENTS, segments
from lockbridge.workflows.wording import one_paragraph

GUEST = Path(__file__).parents[2] / "templates" / "guest"
RENDERER = Renderer(GUEST.parent)
TRANSLATED = ("de", "es", "fr", "it", "pt")
LANGUAGES = ("en", *TRANSLATED)
PARTS = ("subject.txt", "body.txt", "body.html")
HELLO = {"en": "Hello", "de": "Guten Tag", "es": "Hola", "fr": "Bonjour", "it": "Buongiorno", "pt": "Olá"}
FRONT, BACK = DoorCode("Front door", Pin("0123")), DoorCode("Back door", Pin("8642"), is_backup=True)


def facts(**changes) -> StayFacts:
    known = {
        "guest_name": "Ana López",
        "property_name": "Beach House",
        "check_in": datetime(2026, 6, 5, 15),  # noqa: DTZ001 - wall time at the property
        "check_out": datetime(2026, 6, 8, 11),  # noqa: DTZ001 - wall time at the property
        "doors": (FRONT, BACK),
    }
    return StayFacts(**(known | changes))


def variables(language: str, kind: str, part: str) -> set[str]:
    source = (GUEST / language / kind / part).read_text(encoding="utf-8")
    return meta.find_undeclared_variables(RENDERER._env.parse(source))


class Seen(HTMLParser):
    """What a reader sees of a page, and the language it says it is in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words, self.language, self.tags = [], None, []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.language = dict(attrs).get("lang", self.language)

    def handle_data(self, data):
        self.words += data.split()


# ------------------------------------------------------------------------------------------------------------ complete


def test_the_guests_languages_are_the_six_that_are_promised():
    assert {path.name for path in GUEST.iterdir() if path.is_dir()} == set(LANGUAGES)


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_language_has_every_file_and_no_other(language):
    def files(of: str) -> set[str]:
        return {str(path.relative_to(GUEST / of)) for path in (GUEST / of).rglob("*") if path.is_file()}

    assert files(language) == files("en")
    assert {path.name for path in (GUEST / language).iterdir() if path.is_dir()} == set(GuestMessage)


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("kind", GuestMessage)
@pytest.mark.parametrize("part", PARTS)
def test_a_translation_says_exactly_what_the_english_text_says(language, kind, part):
    assert variables(language, kind, part) == variables("en", kind, part)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", GuestMessage)
@pytest.mark.parametrize("doors", [(FRONT,), (BACK,), (FRONT, BACK), (FRONT, DoorCode("Gate", Pin("7777")))])
def test_the_page_and_the_plain_text_say_the_same_in_the_same_language(language, kind, doors):
    text = RENDERER.render_guest(kind, language, facts(doors=doors))
    page = Seen(text.html)
    assert page.words == text.text.split()
    assert page.language == language
    assert text.text.startswith(HELLO[language])
    assert text.html.startswith("<!doctype html>\n<html")
    assert not re.search(r"\n\n\n|[{}]|\s[,.]|  (?! )\S.*  ", text.text)


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("kind", GuestMessage)
def test_no_paragraph_was_left_in_english(language, kind):
    def paragraphs(of: str) -> set[str]:
        text = RENDERER.render_guest(kind, of, facts(doors=(FRONT,)))
        return {line for line in text.text.splitlines() if line and not line.startswith("    ")} | {text.subject}

    assert not paragraphs(language) & paragraphs("en")
    assert len(paragraphs(language)) == len(paragraphs("en"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", GuestMessage)
def test_every_text_fits_into_a_text_message_that_is_sent(language, kind):
    long_names = facts(property_name="Ferienwohnung Hübscher Seeblick", guest_name="Aleksandra Wiśniewska")
    assert segments(one_paragraph(RENDERER.render_guest(kind, language, long_names))) <= MOST_SEGMENTS


# -------------------------------------------------------------------------------------------------------------- codes


@given(
    language=st.sampled_from(LANGUAGES),
    kind=st.sampled_from(GuestMessage),
    day=st.dates(date(2026, 1, 1), date(2028, 12, 31)),
    hour=st.integers(0, 23),
)
def test_no_four_digits_in_a_row_but_the_codes(language, kind, day, hour):
    check_in = datetime.combine(day, time(hour, 30))
    stay = facts(check_in=check_in, check_out=check_in + timedelta(days=3))
    text = RENDERER.render_guest(kind, language, stay)
    said = f"{text.subject}\n{text.text}\n{' '.join(Seen(text.html).words)}"
    assert set(re.findall("[0-9]{4,}", said)) <= {FRONT.pin.digits, BACK.pin.digits}


@pytest.mark.parametrize("language", LANGUAGES)
def test_r36_each_message_tells_the_codes_it_is_about_in_every_language(language):
    pins = {"front": FRONT.pin, "back": BACK.pin}
    both = {"front", "back"}
    told = {
        GuestMessage.ACCESS_CODE: both,
        GuestMessage.CORRECTION: both,
        GuestMessage.EXTENDED: both,
        GuestMessage.BACKUP_CODE: both,
        GuestMessage.FALLBACK: set(),
        GuestMessage.THANKS: set(),
    }
    for kind, expected in told.items():
        text = RENDERER.render_guest(kind, language, facts())
        assert pins_told(text.text, pins) == pins_told(text.html, pins) == expected, kind


# -------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", GuestMessage)
@pytest.mark.parametrize(
    "name", ["Anne-Marie O'Brien", "D'Angelo <b>Rossi</b>", "Ana & João", '"Zoë" Müller', "<script>alert(1)</script>"]
)
def test_names_are_told_as_they_are_and_escaped_in_the_page(language, kind, name):
    text = RENDERER.render_guest(kind, language, facts(guest_name=name, guest_first_name=name, property_name=name))
    plain = RENDERER.render_guest(kind, language, facts())
    assert name in text.text
    assert name in text.subject
    assert Seen(text.html).tags == Seen(plain.html).tags
    assert " ".join(name.split()) in " ".join(Seen(text.html).words)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", GuestMessage)
def test_a_guest_without_a_name_is_greeted_all_the_same(language, kind):
    greeting = RENDERER.render_guest(kind, language, facts(guest_name="")).text.splitlines()[0]
    assert re.fullmatch(rf"{HELLO[language]}[,:]", greeting)


# ------------------------------------------------------------------------------------------------------ days and times


WEEK = {
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    "es": "lunes martes miércoles jueves viernes sábado domingo",
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "it": "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    "pt": "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
}
YEAR = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
}


def said_of(language: str, moment: datetime) -> str:
    stay = facts(check_in=moment, check_out=moment + timedelta(days=2))
    return RENDERER.render_written("s", "%check_in_date% | %check_in_time%", language, stay).text


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_day_of_a_week_and_every_month_of_a_year_has_its_name(language):
    monday = datetime(2026, 6, 8, 15)  # noqa: DTZ001 - wall time at the property
    for ahead, name in enumerate(WEEK[language].split()):
        assert name in said_of(language, monday + timedelta(days=ahead))
    for month, name in enumerate(YEAR[language].split(), start=1):
        assert name in said_of(language, monday.replace(month=month))


@pytest.mark.parametrize(
    ("language", "first", "evening"),
    [
        ("en", "Monday, 1 June | 9:05 AM", "Thursday, 31 December | 11:30 PM"),
        ("de", "Montag, 1. Juni | 9:05 Uhr", "Donnerstag, 31. Dezember | 23:30 Uhr"),
        ("es", "lunes 1 de junio | 9:05", "jueves 31 de diciembre | 23:30"),
        ("fr", "lundi 1er juin | 9h05", "jeudi 31 décembre | 23h30"),
        ("it", "lunedì 1º giugno | 9:05", "giovedì 31 dicembre | 23:30"),
        ("pt", "segunda-feira, 1º de junho | 9:05", "quinta-feira, 31 de dezembro | 23:30"),
    ],
)
def test_days_and_times_are_written_as_people_there_write_them(language, first, evening):
    assert said_of(language, datetime(2026, 6, 1, 9, 5)) == first  # noqa: DTZ001 - wall time at the property
    assert said_of(language, datetime(2026, 12, 31, 23, 30)) == evening  # noqa: DTZ001 - wall time at the property


# ---------------------------------------------------------------------------------------------- which language it is in


@pytest.mark.parametrize(
    ("wanted", "spoken"),
    [
        ("pt-BR", "pt"),
        ("pt-PT", "pt"),
        ("de-AT", "de"),
        ("de-CH", "de"),
        ("es-419", "es"),
        ("fr-CA", "fr"),
        ("ES", "es"),
        ("De-de", "de"),
        ("de_DE", "de"),
        ("zh-Hans-CN", "en"),
        ("nl", "en"),
        ("", "en"),
        ("../de", "en"),
        ("written.html", "en"),
    ],
)
def test_a_regional_language_is_spoken_as_its_language_and_an_unknown_one_as_english(wanted, spoken):
    expected = RENDERER.render_guest(GuestMessage.ACCESS_CODE, spoken, facts())
    assert RENDERER.render_guest(GuestMessage.ACCESS_CODE, wanted, facts()) == expected
