"""Phone numbers as the networks of the world write them."""

import phonenumbers
from phonenumbers import PhoneNumberFormat, ValidationResult

LONGEST_FRAGMENT = 4
"""Digits: what platforms show of a number that they keep to themselves."""


def e164(phone: str | None, country: str | None) -> str | None:
    """The number as ``+34600112233`` (E.164), or None when it cannot be called from anywhere.

    ``country`` (ISO 3166, two letters) is that of numbers written without ``+``. An extension is dropped. A number need
    not be in service, only be as long as numbers there are: which ranges are, only the networks know for certain. Four
    digits or fewer are the end of a number, even in countries with numbers so short.
    """
    if phone is None or sum(char.isdecimal() for char in phone) <= LONGEST_FRAGMENT:
        return None
    try:
        number = phonenumbers.parse(phone, country.strip().upper() if country else None)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    number.extension = None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
