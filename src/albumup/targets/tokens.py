"""Messages about a target's token: where it is, and what to type if it is not accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from albumup.config.file import OPTIONS
from albumup.photos.file_names import command

if TYPE_CHECKING:
    from albumup.targets.base import Target

_REFUSES_TOKEN, _FORBIDS, _FULL = 401, 403, 507


def where_token_is(target: Target) -> str:
    """A phrase that names the token's key or option, and the file, variable or command in it.

    A token that no setting names was typed at a prompt of ``target add``.
    """
    settings = target.settings
    if settings.token_file is not None:
        return f"its token is in {settings.token_file} ({target.key('token_file')})"
    if settings.token_env is not None:
        key = target.key("token_env")
        return f"its token is in the environment variable {settings.token_env} ({key})"
    if settings.token_command is not None:
        # The command's arguments may be confidential.
        return (
            f"its token is what {settings.token_command[0]} prints ({target.key('token_command')})"
        )
    if settings.token is not None:
        return f"its token is in {target.key('token')}"
    if target.token:
        return "it is what was typed here"
    if target.where == OPTIONS:
        return "no token is set: --token-file FILE or --token-env NAME"
    return f"no token is set: {target.key('token_file')}"


def has_own_token(target: Target) -> bool:
    """Do the target's settings name a token?"""
    settings = target.settings
    return any((settings.token_file, settings.token_env, settings.token_command, settings.token))


def how_to_mend(target: Target, status: int | None) -> str:
    """What to do after an answer that refuses us; ``status``: the answer's, None if unknown."""
    source = where_token_is(target)
    if status == _FULL:
        return "Make room there, or have its quota raised; then: albumup resume"
    if target.where == OPTIONS and not has_own_token(target):
        return (
            f"{source}, and --auth or --header where it wants them; "
            "push again with --url and what it needs"
        )
    check = f"then: albumup resume (to look first: {command('target check', [target.name])})"
    if not has_own_token(target):
        return f"{source} may name a file that holds one, {check}"
    if status == _REFUSES_TOKEN:
        return f"{source}: put one there that it takes{_user_too(target)}, {check}"
    if status == _FORBIDS:
        return f"{source}: grant it there what it lacks, or put another one in its place, {check}"
    return f"see to its credentials, permissions and quota; {source}, {check}"


def _user_too(target: Target) -> str:
    """A phrase about the user name, which basic authentication sends, too."""
    if target.settings.auth != "basic":
        return ""
    return f", and see to {target.key('user')}"
