"""Mined identities: a key becomes a node's, gateway's or publisher's by a memory-hard search.

::

    salt  = first 16 bytes of the beacon of a day
    proof = nonce such that Argon2id("bitcloud-id/1" || role || public key || nonce, salt,
            1 pass, 1 lane, the network's memory) begins with the network's number of zero bits

The day's beacon in the salt makes sure that nobody mines in advance. One check costs as much as one
try, so most are checked lazily; a proof that does not hold convicts whoever signed it into a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import nacl.exceptions
import nacl.pwhash.argon2id
from blake3 import blake3

from bitcloud_net.core.encoding import encode
from bitcloud_net.core.errors import BadInput, LocalFault, Malformed
from bitcloud_net.core.keys import KEY_BYTES
from bitcloud_net.core.nodepool.tables import DAY_PERIODS, Role
from bitcloud_net.core.units import KIB

NONCE_BYTES = 8
SALT_BYTES = 16
MAX_BITS = 40
"""A trillion tries; more is a mistake in a setting."""
MAX_SALT_DAYS = 7
"""How old the day of the salt may be when the identity registers; slow computers need some days."""
LAPSE_PERIODS = 3 * DAY_PERIODS
"""A node whose row has been gone for longer has given up its place (R-CA-03)."""
SAMPLE_PARTS = 100
"""One in so many identities of strangers is checked by each node, another hundredth by each."""

_DOMAIN = b"bitcloud-id/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difficulty:
    """What an identity costs on one network."""

    bits: int  # zero bits asked for: 2^bits tries on average
    memory_kib: int

    def __post_init__(self) -> None:
        if not 0 <= self.bits <= MAX_BITS or not 8 <= self.memory_kib <= KIB * KIB:
            raise BadInput("a difficulty that cannot be", code="bad-difficulty")

    @property
    def mean_tries(self) -> int:
        """How many tries an identity costs on average."""
        return 1 << self.bits


PUBLIC_DIFFICULTY = Difficulty(bits=17, memory_kib=64 * KIB)
"""About two hours on four cores that take 0.17 s for a try; half an hour at 0.045 s."""
PRIVATE_DIFFICULTY = Difficulty(bits=8, memory_kib=64 * KIB)
"""A private network: seconds to a minute."""
NO_DIFFICULTY = Difficulty(bits=0, memory_kib=8)
"""Test grids: nobody mines."""


def network_id(name: str, difficulty: Difficulty) -> bytes:
    """Return the 32 bytes by which nodes know their network: its name and its rules. Two networks
    of one name that ask for different things never mix.
    """
    memory_kib = difficulty.memory_kib if difficulty.bits else 0
    rules = encode([1, name.encode(), difficulty.bits, memory_kib])
    return blake3(rules, derive_key_context="bitcloud v1 network").digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Puzzle:
    """What is searched for: the identity of ``public`` in ``role`` with the salt of one day."""

    public: bytes
    role: Role
    day: int  # whole days since 1970
    salt: bytes
    difficulty: Difficulty

    def holds(self, nonce: int) -> bool:
        """Whether ``nonce`` solves it. Costs one try; holds no lock of the interpreter
        meanwhile.

        Raises:
            LocalFault: ``out-of-memory``.
        """
        data = _DOMAIN + bytes([self.role]) + self.public + nonce.to_bytes(NONCE_BYTES, "big")
        memory = self.difficulty.memory_kib * KIB
        try:
            digest = nacl.pwhash.argon2id.kdf(32, data, self.salt, opslimit=1, memlimit=memory)
        except nacl.exceptions.RuntimeError as error:  # all else was checked before
            message = f"{memory // KIB**2} MiB are needed to mine or check an identity"
            raise LocalFault(message, code="out-of-memory") from error
        return int.from_bytes(digest, "big") >> (256 - self.difficulty.bits) == 0


def puzzle_for(
    public: bytes, role: Role, day: int, beacon: bytes, difficulty: Difficulty
) -> Puzzle:
    """Return the puzzle of a key for a day whose beacon is known.

    Raises:
        Malformed: ``bad-identity``: a key of a wrong length, or not exactly one role.
    """
    if len(public) != KEY_BYTES or len(beacon) < SALT_BYTES:
        raise Malformed("key or beacon of a wrong length", code="bad-identity")
    if role not in Role or bin(role).count("1") != 1:
        raise Malformed("an identity has one role", code="bad-identity")
    return Puzzle(
        public=public, role=role, day=day, salt=beacon[:SALT_BYTES], difficulty=difficulty
    )


def check(puzzle: Puzzle, nonce: int, *, registered: int) -> None:
    """Return when ``nonce`` solves the puzzle and its day is right for a row of period
    ``registered``. Costs one try.

    Raises:
        Malformed: ``bad-identity``.
    """
    age = day_of(registered) - puzzle.day
    if not 0 <= age <= MAX_SALT_DAYS:
        raise Malformed(f"mined for a day {age} days before", code="bad-identity")
    if not 0 <= nonce < 1 << 8 * NONCE_BYTES or not puzzle.holds(nonce):
        raise Malformed("the identity was not mined", code="bad-identity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a network asks of whoever wants to be more than a user."""

    difficulty: Difficulty
    beacon: Callable[[int], bytes]  # the beacon of a day
    is_certain: Callable[[int], bool] = lambda _: True  # whether it will stay as it is
    may_begin: bool = True  # whether the network may begin here, where no beacon is certain

    @property
    def is_free(self) -> bool:
        """Whether nobody has to mine."""
        return self.difficulty.bits == 0

    def puzzle(self, public: bytes, role: Role, day: int) -> Puzzle:
        """Return the puzzle of a key for a day; see ``puzzle_for``."""
        return puzzle_for(public, role, day, self.beacon(day), self.difficulty)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What is remembered of who was a node before."""

    until: int | None = None  # last period in which its newest node row was valid
    convicted: int | None = None  # period of its last fraud, as long as that is remembered


def must_mine_again(registered: int, service: Service, period: int) -> bool:
    """Whether an identity that was registered in ``registered`` is worth nothing in ``period``.

    Mining once is enough, but for two things: the node was gone for longer than
    ``LAPSE_PERIODS`` since, or was convicted of a fraud since.
    """
    if service.convicted is not None and registered <= service.convicted:
        return True
    was_in = service.until is not None and registered <= service.until
    return was_in and service.until is not None and period > service.until + LAPSE_PERIODS


def day_of(period: int) -> int:
    """Return the day that a period lies in."""
    return period // DAY_PERIODS


def in_sample(checker: bytes, row_id: bytes) -> bool:
    """Whether ``checker`` is one of the nodes that check this stranger's identity."""
    digest = blake3(checker + row_id, derive_key_context="bitcloud v1 identity sample").digest()
    return int.from_bytes(digest[:8], "big") % SAMPLE_PARTS == 0
