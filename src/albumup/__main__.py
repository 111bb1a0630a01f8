"""The program: runs a command, and turns its errors into messages and an exit code."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # built in; loading ``signal`` takes time, in which a signal may come
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any, NoReturn

    from albumup.cli.app import App
    from albumup.errors import AlbumupError

_SENDING = ("push", "resume", "retry-failed")
"""The commands after whose local faults ``albumup resume`` goes on; others are typed again."""
_SIGNALS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)


def main() -> None:
    """The entry point ``albumup``. Signals are handled before anything is loaded."""
    if _signal.getsignal(_signal.SIGUSR1) == _signal.SIG_DFL:
        # Whoever asks an uploader how it goes may be too early, or too late.
        _signal.signal(_signal.SIGUSR1, lambda *_: None)
    _hear(_leave)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller: >&-
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - open until the process ends
    code = _run()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _forget(stream)
    # The command is over, and its code is known. At the interpreter's end a signal would kill it.
    for number in (*_SIGNALS, _signal.SIGUSR1):
        _signal.signal(number, _signal.SIG_IGN)
    import threading

    if threading.active_count() > 1:
        # A look-up that never returns, or a thread within C code, must not delay or crash the exit.
        os._exit(code)
    sys.exit(code)


def _hear(handler: Any) -> None:
    """Set the handler of all signals, except those that the caller has ignored (nohup)."""
    for number in _SIGNALS:
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, handler)


def _leave(number: int, _: object) -> None:
    """Exit at once: before a command starts, and after its end, there is nothing to clean up."""
    os._exit(128 + number)


def _interrupt(number: int, _: object) -> None:
    _hear(_leave)  # a second signal exits at once
    raise _Interrupted(number)


def _run() -> int:
    """Run the command that was typed; its exit code."""
    from albumup.cli.app import App
    from albumup.cli.gate import install

    install(for_a_shell="_ALBUMUP_COMPLETE" in os.environ)
    os.umask(os.umask(0) | 0o077)
    app = App()
    sys.unraisablehook = _unraisable
    try:
        return _code(app)
    finally:
        app.close()


def _code(app: App) -> int:
    import click

    from albumup.cli import cli

    try:
        try:
            _hear(_interrupt)
            result = cli.main(prog_name="albumup", standalone_mode=False, obj=app)
            app.finish()
            sys.stdout.flush()
        except Exception:
            app.let_out()
            raise
        finally:
            _hear(_leave)
        return result if isinstance(result, int) else 0
    except _Interrupted as interrupted:
        _stop(interrupted.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _complain("Stopped.")
        return 130
    except click.exceptions.NoArgsIsHelpError as error:
        _complain(*error.format_message().split("\n"))
        return 2
    except click.UsageError as error:
        _complain(f"albumup: {error.format_message()}")
        if error.ctx is not None:
            param = error.param if isinstance(error, click.MissingParameter) else None
            albums = (
                "; the albums: albumup status"
                if param is not None and param.name == "album"
                else ""
            )
            _complain(f"Try: {error.ctx.command_path} --help{app.completed(albums)}")
        return 2
    except click.ClickException as error:
        _complain(f"albumup: {error.format_message()}")
        return error.exit_code
    except (BrokenPipeError, SystemExit):  # click raises SystemExit when stdout is closed
        _forget(sys.stdout)
        return 0
    except Exception as error:  # noqa: BLE001 - the user sees a message, not a traceback
        from albumup.cli.layout import sentence

        ended = _understood(app, error)
        _complain(app.completed(f"albumup: {ended}"))
        if ended.hint:
            _complain(*app.completed(sentence(ended.hint)).split("\n"))
        return ended.exit_code


class _Interrupted(BaseException):
    """A signal came while no uploader handled it. Not a KeyboardInterrupt: click would print before
    it ends."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def _stop(code: int) -> NoReturn:
    """Exit at once: a reader who does not read must not hold up the exit."""
    import select

    try:
        poll = select.poll()
        poll.register(2, select.POLLOUT)
        if poll.poll(0):
            os.write(2, b"Stopped.\n")
    except OSError:
        pass
    os._exit(code)


def _unraisable(caught: sys.UnraisableHookArgs) -> None:
    """Stop for a signal that came where Python lets no exception through (a weak reference's
    callback)."""
    if isinstance(caught.exc_value, _Interrupted):
        _stop(caught.exc_value.exit_code)
    sys.__unraisablehook__(caught)


def _understood(app: App, error: Exception) -> AlbumupError:
    """An exception as an error with a message. A command that writes to a damaged journal sets the
    journal aside."""
    import sqlite3
    import traceback

    from albumup.errors import AlbumupError, LocalError
    from albumup.journal.opening import CorruptJournal, file_fault, journal_fault
    from albumup.session.damage import put_aside, to_do_again

    ended: BaseException = (
        journal_fault(app.journal, error) if isinstance(error, sqlite3.Error) else error
    )
    if isinstance(ended, CorruptJournal) and app.writes:
        try:
            return put_aside(app.journal, ended)
        except AlbumupError as error_of_disk:  # the second look failed because of the disk
            return error_of_disk
    if isinstance(ended, AlbumupError):
        return ended if app.command in _SENDING else to_do_again(ended, "try again")
    if isinstance(error, OSError):
        if str(error.filename).startswith(app.journal):
            return file_fault(app.journal, error)
        return LocalError(f"{error.filename or 'this computer'}: {error.strerror or error}")
    if app.options.get("verbose"):
        traceback.print_exception(error)
    return LocalError(
        f"a fault of albumup itself: {type(error).__name__}: {error}",
        "please report it with what -v says; everything unsent waits: albumup resume",
    )


def _complain(*lines: str) -> None:
    """Print lines on stderr, wrapped on a terminal; a newline within one is shown as text."""
    import contextlib

    from albumup.cli.layout import broken

    with contextlib.suppress(OSError):
        print("\n".join(broken(line, sys.stderr) for line in lines), file=sys.stderr, flush=True)


def _forget(stream: IO[str]) -> None:
    """Redirect a stream whose reader has gone, so that the last flush does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
