"""Settings of the servers, besides those of a retraining: where they keep things, whom they notify, how they answer."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from configs.sections import Section
from configs.visible_text import find_secret

#: Prefect's concurrency limit that all retrainings of a server share, whatever starts them.
ONE_RETRAINING = "pedigree-retraining"

NotifiedOutcome = Literal["promoted", "rejected", "needs-approval", "failed", "drifted", "swap-refused"]


class Servers(Section):
    """Where Prefect and MLflow keep their data, and who may access them."""

    prefect_database: str = Field(
        default="",
        description="PostgreSQL of Prefect, such as postgresql://pedigree@db.example.org/prefect; empty means SQLite.",
    )
    mlflow_database: str = Field(
        default="",
        description="PostgreSQL of MLflow, such as postgresql://pedigree@db.example.org/mlflow; empty means SQLite.",
    )
    artifacts: str = Field(
        default="",
        description="Where MLflow keeps files: a path or s3://bucket/prefix; empty means Pedigree's home folder.",
    )
    authentication: bool = Field(
        default=False, description="Prefect and MLflow ask for a name and a password; see docs/how-to/servers.md."
    )

    @field_validator("prefect_database", "mlflow_database")
    @classmethod
    def _is_postgresql(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and not (parts.scheme == "postgresql" and parts.hostname and parts.path.strip("/")):
            message = f"the database {url} is not understood: write it as postgresql://user@host:5432/name"
            raise ValueError(message)
        return url


class Notify(Section):
    """Who is notified how runs end."""

    channels: tuple[Literal["slack", "email", "webhook"], ...] = Field(
        default=(),
        description="Ways to tell: slack, email, webhook; "
        "secrets come from the environment, see docs/how-to/notifications.md.",
    )
    blocks: tuple[str, ...] = Field(
        default=(),
        description="Notification blocks that exist in Prefect, such as slack-webhook/team; they are used as well.",
    )
    when: tuple[NotifiedOutcome, ...] = Field(
        default=("promoted", "rejected", "needs-approval", "failed", "drifted", "swap-refused"),
        description="What people are told about. Ends of a run: promoted, rejected, needs-approval, failed (crashed as "
        "well); of the service: drifted (labels are wanted), swap-refused (a new model does not serve).",
    )
    silent_hours: Annotated[float, Field(ge=0, le=8760)] = Field(
        default=26, description="Also tell people when no run has ended well for this many hours; 0 means never."
    )
    email_to: tuple[str, ...] = Field(default=(), description="Who gets the e-mail.")
    email_from: str = Field(default="", description="The sender of the e-mail.")
    smtp_server: str = Field(default="", description="The mail server, such as smtp.example.org:587.")
    smtp_user: str = Field(default="", description="Name to log in with there; empty means that it asks for none.")
    smtp_encryption: Literal["starttls", "ssl", "none"] = Field(
        default="starttls", description="How the connection to the mail server is encrypted: starttls, ssl, none."
    )

    @field_validator("smtp_server")
    @classmethod
    def _no_login(cls, server: str) -> str:
        if "://" not in server and find_secret(f"smtp://{server}"):
            message = "notify.smtp_server holds a password: leave it out, and set PEDIGREE_SMTP_PASSWORD"
            raise ValueError(message)
        return server

    @field_validator("blocks")
    @classmethod
    def _type_and_name(cls, blocks: tuple[str, ...]) -> tuple[str, ...]:
        for block in blocks:
            if block.count("/") != 1:
                word = "an address" if "://" in block else repr(block)  # A webhook's address is a secret.
                message = f"notify.blocks has {word}: write type/name, such as slack-webhook/team"
                raise ValueError(message)
        return blocks

    @model_validator(mode="after")
    def _email_is_complete(self) -> Self:
        lacking = [name for name in ("email_to", "email_from", "smtp_server") if not getattr(self, name)]
        if "email" in self.channels and lacking:
            message = f"notify.channels has email: set notify.{lacking[0]}"
            raise ValueError(message)
        return self


class Serve(Section):
    """How ``pedigree serve`` answers photographs, and how much it takes on."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on; any but a loopback address needs a key, see docs/how-to/serve.md.",
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=8080, description="Port to listen on; 0 takes any that is free."
    )
    follow_seconds: Annotated[float, Field(ge=0.1, le=3600)] = Field(
        default=2, description="Seconds between two checks of which model is champion."
    )
    decode_seconds: Annotated[float, Field(ge=0.1, le=60)] = Field(
        default=5, description="Seconds that decoding one photograph may take; then its process is killed."
    )
    queue: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=32, description="Photographs that may wait for a core; further requests are told to try again later."
    )
    max_files: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=16, description="The most photographs of one request."
    )
    max_megabytes: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=20, description="The largest body of a request, and so the largest photograph."
    )
    max_megapixels: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=30, description="Larger photographs are refused undecoded; images.max_megapixels bounds them too."
    )
    body_seconds: Annotated[float, Field(ge=0.1, le=600)] = Field(
        default=10, description="Seconds within which the head of a request must have come, and then its body."
    )
    drain_seconds: Annotated[float, Field(ge=0, le=600)] = Field(
        default=5, description="Seconds for which it answers on after SIGTERM, while /ready already says no."
    )
    why_images: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        default=100_000,
        description="Training images up to which answers can say why; their features are held in memory. 0 is never.",
    )
    drift_pictures: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=200,
        description="How many distinct pictures a day needs to be compared with the test images; 0 compares none.",
    )
    shadow: bool = Field(
        default=True,
        description="Whether a waiting challenger answers photographs in the champion's shadow, to be compared.",
    )
    shadow_share: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.05,
        description="Share of photographs for a challenger on another backbone, whose network is loaded beside the "
        "champion's; 0 compares no such challenger.",
    )
    show_training: bool = Field(
        default=False,
        description="Whether people who may ask are shown training photographs, and not only their labels.",
    )


class Inbox(Section):
    """Where pictures are kept whose senders agreed to it, until people have labelled them."""

    url: str = Field(
        default="",
        description="Folder or bucket of its own, apart from source and store, for pictures that people agreed to have "
        "kept; empty keeps none. See docs/how-to/inbox.md.",
    )
    per_day: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=100,
        description="The most pictures to keep in a day: a quarter from midnight (UTC) on, the rest evenly.",
    )
    random_share: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.01,
        description="Share of pictures that are kept by chance alone, up to half of a day's: only they say how good "
        "the model is.",
    )
    megabytes: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=64, description="Memory for pictures that may be kept; when it is full, the oldest are dropped."
    )


class Operations(Section):
    """The sections of a settings file that only the servers read: no run depends on them."""

    servers: Servers = Field(default=Servers(), description="Where Prefect and MLflow keep their data.")
    notify: Notify = Field(default=Notify(), description="Who is told how runs end.")
    serve: Serve = Field(default=Serve(), description="How the champion answers photographs over HTTP.")
    inbox: Inbox = Field(default=Inbox(), description="Where pictures wait for labels.")
