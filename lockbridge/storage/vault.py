"""Encryption at rest: PINs, credentials and phone numbers are sealed before they reach a row.

A *key ring* is text, one ``id: base64`` entry per line (or separated by commas, in the environment)::

    index: 0qk…=      root of the keyed index; never changes, or every index has to be made anew
    7f3a09c1: mJx…=   the primary key: seals everything new
    02d4e6aa: 9Rt…=   an older key: still opens what it sealed

A single bare base64 key is a ring too; its id and its index root come from the key itself.
"""

import base64
import binascii
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from os import urandom
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = 1
KEY_BYTES = 32
ID_BYTES = 4
NONCE_BYTES = 12
TAG_BYTES = 16
HEADER_BYTES = 1 + ID_BYTES
SEALED_BYTES = HEADER_BYTES + NONCE_BYTES + TAG_BYTES
"""How much longer a sealed text is than the text."""

PREAMBLE = """\
# The keys of lockbridge. Keep this file secret, and keep a copy of it apart from the copies of the database:
# without it nobody can read the PINs, credentials and phone numbers that are stored.
# The first key below the index seals everything new, the others only open what they once sealed.
"""


class VaultError(Exception):
    """A key ring or a sealed value is not usable. The message says what, where and what to do; it holds no secret."""


class BadKeyRing(VaultError):
    """The text is not a key ring."""


class UnsafeKeyFile(VaultError):
    """Somebody besides the owner may read or write the key file."""


class MissingKey(VaultError):
    """The key file, or the one key that a value was sealed with, is not there."""


class WrongKey(VaultError):
    """The value cannot be opened: sealed with other key material, for another purpose, or altered since."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys by id, the first being the primary one, and the root of the index. Its ``repr`` shows ids only."""

    keys: dict[bytes, bytes] = field(repr=False)
    index_root: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not self.keys:
            msg = "the key ring has no key: add a line 'id: base64 of 32 random bytes'"
            raise BadKeyRing(msg)

    @property
    def primary(self) -> bytes:
        """The id of the key that seals everything new."""
        return next(iter(self.keys))

    @property
    def ids(self) -> list[str]:
        """The ids as the file shows them, the primary one first."""
        return [key_id.hex() for key_id in self.keys]

    @classmethod
    def fresh(cls) -> "KeyRing":
        """A new ring with one key."""
        return cls({urandom(ID_BYTES): urandom(KEY_BYTES)}, urandom(KEY_BYTES))

    @classmethod
    def parse(cls, text: str, where: str) -> "KeyRing":
        """The ring behind the text; ``where`` names its place in errors. Raises :class:`BadKeyRing`."""
        entries = [entry for line in text.splitlines() for entry in line.partition("#")[0].replace(",", " ").split()]
        if len(entries) == 1 and ":" not in entries[0]:
            key = _key(entries[0], where)
            return cls({blake2b(key, digest_size=ID_BYTES).digest(): key}, key)
        return cls._from_entries(_pairs(entries, where), where)

    @classmethod
    def _from_entries(cls, entries: dict[str, bytes], where: str) -> "KeyRing":
        root = entries.pop("index", None)
        if root is None:
            msg = f"the key ring in {where} has no 'index:' entry: restore the one that was used so far"
            raise BadKeyRing(msg)
        return cls({_key_id(name, where): key for name, key in entries.items()}, root)

    def text(self) -> str:
        """The ring as a file holds it. It is the secret itself."""
        lines = [
            f"{name}: {base64.b64encode(key).decode()}" for name, key in [("index", self.index_root), *self._named()]
        ]
        return PREAMBLE + "\n".join(lines) + "\n"

    def _named(self) -> list[tuple[str, bytes]]:
        return [(key_id.hex(), key) for key_id, key in self.keys.items()]

    def rotated(self) -> "KeyRing":
        """The ring with a new primary key in front; the older ones still open, the index stays."""
        return KeyRing({urandom(ID_BYTES): urandom(KEY_BYTES), **self.keys}, self.index_root)

    def only_primary(self) -> "KeyRing":
        """The ring without its older keys, for when nothing is sealed with them any more."""
        return KeyRing({self.primary: self.keys[self.primary]}, self.index_root)


def _pairs(entries: list[str], where: str) -> dict[str, bytes]:
    """``id:base64`` or ``id:`` followed by ``base64``, in order."""
    pairs: dict[str, bytes] = {}
    words = iter(entries)
    for word in words:
        name, colon, value = word.partition(":")
        if not colon or not name:
            msg = f"the key ring in {where} has an entry without an id: each is 'id: base64'"
            raise BadKeyRing(msg)
        if name in pairs:
            msg = f"the key ring in {where} has the id {name!r} twice: give each key an id of its own"
            raise BadKeyRing(msg)
        pairs[name] = _key(value or next(words, ""), where)
    return pairs


def _key(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        msg = (
            f"a key in {where} is not the base64 of {KEY_BYTES} bytes: "
            "restore the key, or make one with 'openssl rand -base64 32'"
        )
        raise BadKeyRing(msg)
    return key


def _key_id(name: str, where: str) -> bytes:
    try:
        key_id = bytes.fromhex(name)
    except ValueError:
        key_id = b""
    if len(key_id) != ID_BYTES:
        msg = f"the key id {name!r} in {where} is not {ID_BYTES * 2} hexadecimal digits"
        raise BadKeyRing(msg)
    return key_id


def read_key_file(path: Path) -> KeyRing:
    """The ring in the file. Raises :class:`MissingKey`, :class:`UnsafeKeyFile` or :class:`BadKeyRing`."""
    try:
        with path.open(encoding="utf-8") as file:
            _refuse_exposed(path, os.fstat(file.fileno()).st_mode)
            return KeyRing.parse(file.read(), str(path))
    except FileNotFoundError:
        msg = (
            f"the key file {path} is missing: put the one back that this database was made with; "
            "without it the stored PINs and credentials cannot be read"
        )
        raise MissingKey(msg) from None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"the key file {path} cannot be read ({error}): it must be a text file that this user may read"
        raise BadKeyRing(msg) from error


def _refuse_exposed(path: Path, mode: int) -> None:
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        msg = f"the key file {path} can be used by other users (mode {stat.S_IMODE(mode):o}): run 'chmod 600 {path}'"
        raise UnsafeKeyFile(msg)


def create_key_file(path: Path) -> KeyRing:
    """The ring of a new file, readable by its owner only; if another process was first, the ring of its file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = _draft(path, KeyRing.fresh())
    try:
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    _sync_directory(path.parent)
    return read_key_file(path)


def replace_key_file(path: Path, ring: KeyRing) -> None:
    """Put the ring into the file in one step: a reader sees the old ring or the new one, never half."""
    _draft(path, ring).replace(path)
    _sync_directory(path.parent)


def _draft(path: Path, ring: KeyRing) -> Path:
    """A finished file beside ``path``, mode 600, on the disk."""
    draft = path.with_name(f".{path.name}.{urandom(4).hex()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(ring.text())
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_directory(directory: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_vault(key_file: Path, key: str = "", *, create: bool = False) -> "Vault":
    """The vault whose ring is in ``key`` (from the environment) or, when that is empty, in the file.

    ``create`` makes a missing file; give it only for a database that holds nothing yet. Raises :class:`VaultError`.
    """
    if key.strip():
        return Vault(KeyRing.parse(key, "the setting secrets.key"))
    if create and not key_file.exists():
        return Vault(create_key_file(key_file))
    return Vault(read_key_file(key_file))


class Vault:
    """Seals and opens texts, and makes keyed indexes. Safe to use from several threads.

    A sealed value is ``version (1) · key id (4) · nonce (12) · AES-256-GCM ciphertext and tag``. Its context – what
    the value is and where it belongs, such as ``"pin"`` – is authenticated with it: a value opens only for the same.
    """

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self._ciphers = {bytes((VERSION,)) + key_id: AESGCM(key) for key_id, key in ring.keys.items()}
        self._header = bytes((VERSION,)) + ring.primary
        self._seal = self._ciphers[self._header].encrypt
        derived = HKDF(algorithm=SHA256(), length=64, salt=None, info=b"lockbridge keyed index v1")
        self._index_key = derived.derive(ring.index_root)

    def __repr__(self) -> str:
        return f"Vault(keys={self.ring.ids})"

    def seal(self, text: str | bytes, context: str) -> bytes:
        """The text, sealed with the primary key. The same text sealed twice looks different."""
        data = text.encode() if isinstance(text, str) else text
        return self._sealed(data, self._header + context.encode(), urandom(NONCE_BYTES))

    def seal_all(self, texts: Sequence[bytes], context: str) -> list[bytes]:
        """Each of the texts as :meth:`seal` seals it.

        The kernel is asked for random bytes once: each time, other threads run and this one waits until it may again.
        """
        bound, random = self._header + context.encode(), urandom(NONCE_BYTES * len(texts))
        nonces = (random[start : start + NONCE_BYTES] for start in range(0, len(random), NONCE_BYTES))
        return [self._sealed(text, bound, nonce) for text, nonce in zip(texts, nonces, strict=True)]

    def _sealed(self, data: bytes, bound: bytes, nonce: bytes) -> bytes:
        return self._header + nonce + self._seal(nonce, data, bound)

    def open(self, blob: bytes, context: str) -> str:
        """The text that was sealed for this context. Raises :class:`MissingKey` or :class:`WrongKey`."""
        return self.open_bytes(blob, context).decode()

    def open_bytes(self, blob: bytes, context: str) -> bytes:
        """The bytes that were sealed for this context. Raises :class:`MissingKey` or :class:`WrongKey`."""
        header = bytes(blob[:HEADER_BYTES])
        cipher = self._ciphers.get(header) or self._no_cipher(header, len(blob), context)
        try:
            nonce, sealed = blob[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES], blob[HEADER_BYTES + NONCE_BYTES :]
            return cipher.decrypt(nonce, sealed, header + context.encode())
        except (InvalidTag, ValueError):
            msg = (
                f"a stored value ({context}) does not open with the key {header[1:].hex()}: the key ring has another "
                "key under that id, or the value was altered; restore the key ring that belongs to this database"
            )
            raise WrongKey(msg) from None

    def _no_cipher(self, header: bytes, length: int, context: str) -> AESGCM:
        if length < SEALED_BYTES or header[0] != VERSION:
            msg = (
                f"a stored value ({context}) is not something this version of lockbridge sealed: it is damaged or newer"
            )
            raise WrongKey(msg)
        msg = (
            f"a stored value ({context}) was sealed with the key {header[1:].hex()}, which is not in the key ring "
            f"(it has {', '.join(self.ring.ids)}): add that key to the ring again"
        )
        raise MissingKey(msg)

    def needs_rotation(self, blob: bytes) -> bool:
        """Whether the value was sealed with another key than the primary one."""
        return blob[:HEADER_BYTES] != self._header

    def reseal(self, blob: bytes, context: str) -> bytes:
        """The same value under the primary key. Raises :class:`MissingKey` or :class:`WrongKey`."""
        return self.seal(self.open_bytes(blob, context), context)

    def index(self, pin_digits: str, scope: int | str) -> bytes:
        """16 bytes that are equal for equal digits in the same scope (a lock), and tell nothing without the key."""
        return blake2b(f"{scope}\0{pin_digits}".encode(), digest_size=16, key=self._index_key).digest()
