"""T-ed25519-vectors: signatures that verifiers are known to disagree about are all refused.

After Chalkias, Garillot and Nikolaenko, "Taming the many EdDSAs" (2020): keys and nonces of small
order, encodings that are not canonical, an S beyond the group's order. One verifier that accepts
and one that refuses would split the nodepool.
"""

from __future__ import annotations

import nacl.bindings
import pytest

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import SigningKey, verify

KEY = SigningKey(bytes(range(32)))
ORDER = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19

SMALL_ORDER = [  # every point of order 1, 2, 4 or 8, in each of its encodings
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]

RFC8032 = [  # section 7.1: secret, public, message, signature
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
        "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da0"
        "85ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC8032)
def test_published_vectors(seed: str, public: str, message: str, signature: str) -> None:
    assert SigningKey(bytes.fromhex(seed)).public.hex() == public
    opened = nacl.bindings.crypto_sign_open(
        bytes.fromhex(signature) + bytes.fromhex(message), bytes.fromhex(public)
    )
    assert opened.hex() == message


def test_right_signature() -> None:
    verify(KEY.public, "row", b"message", KEY.sign("row", b"message"))


@pytest.mark.parametrize("public", SMALL_ORDER)
def test_key_of_small_order(public: str) -> None:
    """With such a key, R = key and S = 0 would fit many messages at once."""
    for nonce in SMALL_ORDER:
        with pytest.raises(Malformed):
            verify(bytes.fromhex(public), "row", b"message", bytes.fromhex(nonce) + bytes(32))


def test_s_beyond_the_order() -> None:
    """The same signature with S + L: whoever accepts it gives one message two signatures."""
    signature = KEY.sign("row", b"message")
    s = int.from_bytes(signature[32:], "little")
    for times in (1, 2, 7):
        other = signature[:32] + (s + times * ORDER).to_bytes(32, "little")
        with pytest.raises(Malformed):
            verify(KEY.public, "row", b"message", other)


@pytest.mark.parametrize("y", [PRIME, PRIME + 1, PRIME + 3, PRIME + 18])
def test_key_and_nonce_that_are_not_canonical(y: int) -> None:
    encoded = y.to_bytes(32, "little")
    signature = KEY.sign("row", b"message")
    for public, nonce in ((encoded, signature[:32]), (KEY.public, encoded)):
        with pytest.raises(Malformed):
            verify(public, "row", b"message", nonce + signature[32:])


def test_signatures_do_not_cross_domains() -> None:
    signature = KEY.sign("row", b"message")
    for kind, message in (("rows", b"message"), ("ro", b"wmessage"), ("row", b"massage")):
        with pytest.raises(Malformed):
            verify(KEY.public, kind, message, signature)


@pytest.mark.parametrize(("public", "signature"), [(31, 64), (33, 64), (32, 63), (32, 65), (0, 0)])
def test_wrong_lengths(public: int, signature: int) -> None:
    with pytest.raises(Malformed):
        verify(bytes(public), "row", b"", bytes(signature))
