"""Mappers that take personal and secret things out of rows."""

from __future__ import annotations

from djfast.declare import Example, Mapper, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, row

_TEMPLATE = "a template, in which a backslash must be doubled"


class PiiRedactionMapper(Mapper, name="pii_redaction_mapper"):
    """Redacts personal data and secrets: private keys, addresses, paths, tokens, phone and id numbers.

    The OP replaces, in this order, each in what the replacements before it have left: PEM blocks, JSON web tokens, links
    (only with `mask_urls`), IP addresses, MAC addresses, paths below the usual folders of users and systems, e-mail
    addresses, values of secrets (`token=...`; the name stays), ids (`user_id: 9` becomes `user_id[ID_REDACTED]`), names of
    channels, open ids, phone numbers, Chinese id cards, and your own patterns. It redacts strings in the fields of
    `redact_keys`, and in messages the contents and the arguments of tool calls. Then it redacts, in the whole row, every
    string that is an element of a list or is called `file_path`, `path`, `file`, `arguments` or `file_paths`, so a secret in
    the arguments of a tool call is replaced twice. Lists of images, audios and videos do not change (Data-Juicer redacts
    them, and the media can no longer be found), nor do columns of hashes. Dialogues of more than two parts keep all parts.
    The empty text stays empty.
    """

    examples = (
        Example(
            rows=[
                {"text": "mail a.b@example.com, see /home/jane/x.txt or 10.0.0.1", "images": ["/home/jane/a.jpg"]},
                {"text": "token=abc123 session_id: 99 +1 4155551234", "query": "00:1A:2B:3C:4D:5E"},
                {"text": ""},
            ],
            params={},
            expect=[
                {
                    "text": "mail [EMAIL_REDACTED], see [PATH_REDACTED] or [IP_REDACTED]",
                    "images": ["/home/jane/a.jpg"],
                },
                {"text": "token=[REDACTED] session_id[ID_REDACTED] [PHONE_REDACTED]", "query": "[MAC_REDACTED]"},
                {"text": ""},
            ],
        ),
        Example(
            rows=[{"text": "order AB-12 of me@example.com", "messages": [{"role": "user", "content": "me@example.com"}]}],
            params={"extra_patterns": [[r"\b[A-Z]{2}-\d+", "<ORDER>"]], "redact_keys": ["text"], "email_replacement": "<E>"},
            expect=[{"text": "order <ORDER> of <E>", "messages": [{"role": "user", "content": "me@example.com"}]}],
        ),
    )
    rewrites_tags = True

    mask_paths: bool = param("Whether paths are replaced.", default=True)
    mask_emails: bool = param("Whether e-mail addresses are replaced.", default=True)
    mask_secrets: bool = param("Whether values of passwords, tokens, keys and the like are replaced.", default=True)
    mask_ids: bool = param("Whether ids of users, sessions, requests and traces are replaced.", default=True)
    mask_phones: bool = param("Whether phone numbers are replaced.", default=True)
    mask_id_cards: bool = param("Whether numbers of Chinese id cards are replaced.", default=True)
    mask_channel_ids: bool = param("Whether names of message channels are replaced.", default=True)
    mask_platform_open_ids: bool = param("Whether ids of users of message platforms are replaced.", default=True)
    mask_pem: bool = param("Whether PEM blocks, such as private keys, are replaced.", default=True)
    mask_jwt: bool = param("Whether JSON web tokens are replaced.", default=True)
    mask_urls: bool = param("Whether links are replaced.", default=False)
    mask_ips: bool = param("Whether IP addresses are replaced.", default=True)
    mask_macs: bool = param("Whether MAC addresses are replaced.", default=True)
    path_replacement: str = param(f"Placeholder of paths: {_TEMPLATE}.", default="[PATH_REDACTED]")
    email_replacement: str = param(f"Placeholder of e-mail addresses: {_TEMPLATE}.", default="[EMAIL_REDACTED]")
    secret_replacement: str = param(f"Placeholder of secrets: {_TEMPLATE}.", default="[REDACTED]")
    id_replacement: str = param(f"Placeholder of ids: {_TEMPLATE}.", default="[ID_REDACTED]")
    phone_replacement: str = param(f"Placeholder of phone numbers: {_TEMPLATE}.", default="[PHONE_REDACTED]")
    id_card_replacement: str = param(f"Placeholder of id cards: {_TEMPLATE}.", default="[ID_CARD_REDACTED]")
    channel_id_replacement: str = param(f"Placeholder of channels and open ids: {_TEMPLATE}.", default="[CHANNEL_ID_REDACTED]")
    pem_replacement: str = param(f"Placeholder of PEM blocks: {_TEMPLATE}.", default="[PEM_REDACTED]")
    jwt_replacement: str = param(f"Placeholder of JSON web tokens: {_TEMPLATE}.", default="[JWT_REDACTED]")
    url_replacement: str = param(f"Placeholder of links: {_TEMPLATE}.", default="[URL_REDACTED]")
    ip_replacement: str = param(f"Placeholder of IP addresses: {_TEMPLATE}.", default="[IP_REDACTED]")
    mac_replacement: str = param(f"Placeholder of MAC addresses: {_TEMPLATE}.", default="[MAC_REDACTED]")
    extra_patterns: list[list] | None = param(  # type: ignore[type-arg]
        "Pairs of a regular expression of the `regex` package and a template, replaced last; a pattern that is not valid is "
        "left out with a warning.",
        default=None,
    )
    redact_keys: list[str] | None = param(
        "Fields to redact; null takes the text, query, response and messages.", default=None
    )
    messages_key: str | None = param("Field of the messages; null redacts none.", default="messages")

    def validate(self) -> None:
        """Check the shape of the patterns."""
        for pair in self.extra_patterns or ():
            if len(pair) != 2 or not all(isinstance(part, str) for part in pair):
                raise RecipeError(f"{self.spec.name}: extra_patterns must be pairs of a pattern and a template, got {pair!r}")

    def rewrite(self) -> Expr | None:
        """Return the row with placeholders."""
        masked = {
            "pem": (self.mask_pem, self.pem_replacement),
            "jwt": (self.mask_jwt, self.jwt_replacement),
            "url": (self.mask_urls, self.url_replacement),
            "ip": (self.mask_ips, self.ip_replacement),
            "mac": (self.mask_macs, self.mac_replacement),
            "path": (self.mask_paths, self.path_replacement),
            "email": (self.mask_emails, self.email_replacement),
            "secret": (self.mask_secrets, self.secret_replacement),
            "id": (self.mask_ids, self.id_replacement),
            "channel_id": (self.mask_channel_ids, self.channel_id_replacement),
            "open_id": (self.mask_platform_open_ids, self.channel_id_replacement),
            "phone": (self.mask_phones, self.phone_replacement),
            "id_card": (self.mask_id_cards, self.id_card_replacement),
        }
        return call(
            "redacted_row",
            row(),
            text_key="text",
            placeholders={kind: placeholder for kind, (is_masked, placeholder) in masked.items() if is_masked},
            extra_patterns=self.extra_patterns or [],
            redact_keys=self.redact_keys,
            messages_key=self.messages_key,
            media_keys=[self.image_key or "images", self.audio_key or "audios", self.video_key or "videos"],
        )
