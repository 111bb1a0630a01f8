"""What rules about answers are written in: regular expressions and JMESPath, which is slow to import."""

from __future__ import annotations

import re

from albumup.errors import ConfigError


def check_pattern(pattern: str, where: str) -> None:
    """ConfigError unless a text is a regular expression; ``where`` begins the message."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError) as error:
        raise ConfigError(f"{where}: not a regular expression: {error}") from None


def has_one_group(pattern: str) -> bool:
    """Whether a text is a regular expression with one group."""
    try:
        return re.compile(pattern).groups == 1
    except (re.error, OverflowError):
        return False


def is_jmespath(expression: str) -> bool:
    """Whether a text is JMESPath."""
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        jmespath.compile(expression)
    except JMESPathError:
        return False
    return True


def check_jmespath(expression: str, where: str) -> None:
    """ConfigError unless a text is JMESPath."""
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        jmespath.compile(expression)
    except JMESPathError as error:
        problem = str(error).splitlines()[0]
        raise ConfigError(
            f"{where}: not JMESPath: {problem}", "An example: data.id. See https://jmespath.org"
        ) from None
