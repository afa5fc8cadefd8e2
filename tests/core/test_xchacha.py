"""The cipher against the draft's own vectors and against libsodium."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files import xchacha
from tests.core.properties import hashes, quick


def test_hchacha20_of_the_draft() -> None:
    """draft-irtf-cfrg-xchacha-03, section 2.2.1."""
    nonce = bytes.fromhex("000000090000004a0000000031415927")
    expected = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
    assert xchacha.hchacha20(bytes(range(32)), nonce).hex() == expected


def test_aead_of_the_draft() -> None:
    """draft-irtf-cfrg-xchacha-03, appendix A.3.1."""
    plain = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        b"future, sunscreen would be it."
    )
    sealed = xchacha.encrypt(
        bytes(range(0x80, 0xA0)),
        bytes(range(0x40, 0x58)),
        plain,
        bytes.fromhex("50515253c0c1c2c3c4c5c6c7"),
    )
    assert sealed.hex() == (
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
        "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
        "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
        "21f9664c97637da9768812f615c68b13b52e"
        "c0875924c1c7987947deafd8780acf49"
    )


@quick
@given(hashes, st.binary(min_size=24, max_size=24), st.binary(max_size=300), st.binary(max_size=40))
def test_same_bytes_as_libsodium(key: bytes, nonce: bytes, plain: bytes, aad: bytes) -> None:
    expected = crypto_aead_xchacha20poly1305_ietf_encrypt(plain, aad, nonce, key)
    assert xchacha.encrypt(key, nonce, plain, aad) == expected
    assert xchacha.decrypt(key, nonce, expected, aad) == plain
    out = bytearray(len(plain) + xchacha.TAG_BYTES)
    xchacha.encrypt_into(key, nonce, memoryview(plain), aad, out)
    assert out == expected


def test_same_bytes_as_libsodium_for_a_whole_segment() -> None:
    source = random.Random(3)
    key, nonce, plain = source.randbytes(32), source.randbytes(24), source.randbytes(1 << 20)
    sealed = xchacha.encrypt(key, nonce, plain, b"aad")
    assert crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, b"aad", nonce, key) == plain


@pytest.mark.parametrize(("key", "nonce"), [(31, 24), (32, 23), (32, 12), (0, 0)])
def test_wrong_key_or_nonce_length(key: int, nonce: int) -> None:
    for act in (xchacha.encrypt, xchacha.decrypt):
        with pytest.raises(Malformed):
            act(bytes(key), bytes(nonce), bytes(40), b"")
