"""Sign-in by an identity provider: OpenID Connect, authorization code with PKCE."""

import time
from dataclasses import dataclass
from threading import Lock
from typing import Any

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

_SECONDS = 10.0
_KNOWN_FOR = 3600.0
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Only signatures that need the provider's private key: none and HMAC are refused."""


class ProviderFailed(Exception):
    """The provider does not answer, or answers what cannot be trusted. The text holds nothing that it sent."""


@dataclass(frozen=True)
class OpenIdSettings:
    """issuer: the provider's address, without a slash at its end; callback: where it sends the browser back to."""

    issuer: str
    client_id: str
    client_secret: str
    callback: str


class OpenIdProvider:
    """One identity provider. Blocking; safe to share between threads."""

    def __init__(self, settings: OpenIdSettings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._known: tuple[float, dict[str, Any], KeySet] | None = None

    def authorization_url(self, state: str, nonce: str, verifier: str) -> str:
        """Return where to send the browser. Raises ProviderFailed."""
        facts, _ = self._discovered()
        address: str = self._session().create_authorization_url(
            facts["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier
        )[0]
        return address

    def verified_email(self, code: str, nonce: str, verifier: str) -> str:
        """Exchange the code and return the e-mail address that the provider has verified.

        Raises ProviderFailed when there is none, or the answer is not signed for this sign-in.
        """
        facts, keys = self._discovered()
        try:
            token = self._session().fetch_token(
                facts["token_endpoint"],
                code=code,
                code_verifier=verifier,
                grant_type="authorization_code",
                timeout=_SECONDS,
                allow_redirects=False,
            )
        except (requests.RequestException, OAuthError, ValueError) as error:
            raise _failed("The sign-in could not be finished", error) from None
        claims = self._claims(str(token.get("id_token", "")), nonce, str(facts["issuer"]), keys)
        email = claims.get("email")
        if not isinstance(email, str) or claims.get("email_verified") not in (True, "true"):
            raise ProviderFailed("The provider names no e-mail address that it has verified: ask who runs it.")
        return email

    def _claims(self, id_token: str, nonce: str, issuer: str, keys: KeySet) -> dict[str, Any]:
        wanted = jwt.JWTClaimsRegistry(
            leeway=60,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": self._settings.client_id},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = jwt.decode(id_token, keys, algorithms=_ALGORITHMS).claims
            wanted.validate(claims)
        except (JoseError, ValueError) as error:
            with self._lock:
                self._known = None  # its keys may have changed
            raise _failed("The provider's answer is not valid", error) from None
        if claims.get("azp", self._settings.client_id) != self._settings.client_id:
            raise ProviderFailed("The provider's answer is for another program: begin again.")
        return dict(claims)

    def _session(self) -> OAuth2Session:
        settings = self._settings
        return OAuth2Session(
            settings.client_id,
            settings.client_secret,
            scope="openid email",
            redirect_uri=settings.callback,
            code_challenge_method="S256",
        )

    def _discovered(self) -> tuple[dict[str, Any], KeySet]:
        """Return the provider's addresses and keys, asked for once an hour. Raises ProviderFailed."""
        with self._lock:
            if self._known is not None and time.monotonic() < self._known[0]:
                return self._known[1], self._known[2]
        try:
            facts = _read(f"{self._settings.issuer}/.well-known/openid-configuration")
            if str(facts["issuer"]).rstrip("/") != self._settings.issuer.rstrip("/"):
                raise ProviderFailed("The identity provider calls itself otherwise: compare OIDC_ISSUER with it.")
            keys = KeySet.import_key_set(_read(str(facts["jwks_uri"])))  # type: ignore[arg-type]
        except (requests.RequestException, JoseError, LookupError, ValueError, TypeError) as error:
            raise _failed("The identity provider cannot be used", error) from None
        with self._lock:
            self._known = (time.monotonic() + _KNOWN_FOR, facts, keys)
        return facts, keys


def _failed(what: str, error: Exception) -> ProviderFailed:
    return ProviderFailed(f"{what} ({type(error).__name__}): begin again, or ask who runs the provider.")


def _read(address: str) -> dict[str, Any]:
    answer = requests.get(address, timeout=_SECONDS, allow_redirects=False)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found
