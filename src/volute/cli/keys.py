"""The verbs `keys init`, `show` and `import`: what outputs are signed with, and who is trusted."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from volute.cli.sample import AsJson, Overwrite
from volute.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the group `keys` with its verbs."""
    group = typer.Typer(no_args_is_help=True, help="What outputs are signed with.")
    group.command()(init)
    group.command()(show)
    group.command("import")(import_)
    app.add_typer(group, name="keys")


def init(
    organization: Annotated[
        str, typer.Option("--organization", help="Stands in all that is signed.")
    ] = "",
    timestamp: Annotated[
        str | None, typer.Option("--timestamp", metavar="URL", help='A service, or "" for none.')
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make keys to sign with.

    Without it they are made on first use: a certificate authority of this computer's own, and a
    signer that it vouches for, renewed in good time. With --overwrite all are made anew; the old
    authority stays trusted here. --timestamp has each signature stamped by a service (RFC 3161),
    which sees your address and a hash; if it does not answer, files are signed without.

    \b
    Examples:
      volute keys init --organization "Our museum"
      volute keys init --timestamp https://tsa.example.org
      volute keys init --overwrite
    """
    from volute.cli.show import tell
    from volute.provenance import keys

    there = (keys.folder() / "signer.pem").exists()
    if timestamp is not None:
        keys.set_timestamp(timestamp)
        typer.echo(f"timestamp  {timestamp or 'none'}")
    if overwrite or organization or not (there and timestamp is not None):
        keys.init(organization or keys.ORGANIZATION, overwrite, tell)


def show(
    pem: Annotated[
        bool, typer.Option("--pem", help="Print the authority's certificate, to be trusted.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what is signed with, and who is trusted.

    Never a private key. Who imports the certificate that --pem prints, with volute keys import
    --trust, sees your files as trusted.

    \b
    Examples:
      volute keys show
      volute keys show --pem > ours.pem
    """
    from volute.provenance import keys

    if pem:
        typer.echo(keys.authority_pem().decode("ascii"), nl=False)
        return
    about = keys.shown()
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(about), default=str))
        return
    kind = "made here" if about.own else "imported"
    typer.echo(f"folder     {about.folder}")
    typer.echo(f"signer     {about.organization} ({kind}), valid to {about.expires:%Y-%m-%d}")
    typer.echo(f"authority  {about.authority[:32] or 'none'}")
    typer.echo(f"trusted    {', '.join(about.trusted) or 'nobody else'}")
    typer.echo(f"timestamp  {about.timestamp or 'none'}")


def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="In PEM.")],
    trust: Annotated[
        bool, typer.Option("--trust", help="Trust these certificates of others.")
    ] = False,
) -> None:
    """Sign with a certificate of your own, or trust those of others.

    Without --trust: a private key and its certificates, the signer's first, in one file or several.
    They must be of the kind that C2PA accepts; see docs/provenance.md.

    \b
    Examples:
      volute keys import signer-chain.pem signer.key
      volute keys import --trust museum.pem
    """
    from volute.provenance import keys
    from volute.provenance import trust as trusted
    from volute.provenance.certificates import organization_of

    try:
        pem = b"\n".join(file.read_bytes() for file in files)
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from error
    if trust:
        for name in trusted.import_pem(pem):
            typer.echo(f"trusted  {name}")
        return
    signer = keys.import_signer(pem)
    typer.echo(f"signer   {organization_of(signer.chain[0])}, valid to {signer.expires:%Y-%m-%d}")
