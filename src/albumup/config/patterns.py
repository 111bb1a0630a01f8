"""Checks the expressions in rules about answers: regular expressions, and JMESPath, which is slow
to import."""

from __future__ import annotations

import re

from albumup.errors import ConfigError


def check_pattern(pattern: str, where: str) -> None:
    """Raise ConfigError unless a text is a regular expression; ``where`` begins the message."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError) as error:
        raise ConfigError(f"{where}: not a regular expression: {error}") from None


def has_one_group(pattern: str) -> bool:
    """Is a text a regular expression with one group?"""
    try:
        return re.compile(pattern).groups == 1
    except (re.error, OverflowError):
        return False


def is_jmespath(expression: str) -> bool:
    """Is a text a JMESPath expression?"""
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        jmespath.compile(expression)
    except JMESPathError:
        return False
    return True


def check_jmespath(expression: str, where: str) -> None:
    """Raise ConfigError unless a text is a JMESPath expression; ``where`` begins the message."""
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        jmespath.compile(expression)
    except JMESPathError as error:
        problem = str(error).splitlines()[0]
        raise ConfigError(
            f"{where}: not JMESPath: {problem}", "An example: data.id. See https://jmespath.org"
        ) from None
